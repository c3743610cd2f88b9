from django.test import TestCase


class EntriesTest(TestCase):
    def test_what_was_sent_is_listed(self) -> None:
        sent = {"source": "api", "level": "error", "message": "disk is full"}
        self.assertEqual(self.client.post("/entries", sent, content_type="application/json").status_code, 201)
        listed = self.client.get("/entries?level=error").json()["entries"]
        self.assertEqual([entry["message"] for entry in listed], ["disk is full"])
        self.assertContains(self.client.get("/"), "disk is full")

    def test_an_unknown_level_is_refused(self) -> None:
        sent = {"source": "api", "level": "loud", "message": "x"}
        self.assertEqual(self.client.post("/entries", sent, content_type="application/json").status_code, 400)
