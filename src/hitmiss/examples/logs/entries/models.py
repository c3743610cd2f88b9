from django.db import models


class Level(models.TextChoices):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Entry(models.Model):
    """One line that a program logged."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    source = models.CharField(max_length=100)
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO, db_index=True)
    message = models.TextField()

    class Meta:
        ordering = ["-at", "-id"]

    def as_json(self) -> dict[str, str]:
        return {"at": self.at.isoformat(), "source": self.source, "level": self.level, "message": self.message}
