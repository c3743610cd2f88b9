from pathlib import Path

from ci_report import failures


def test_a_failure_is_named(tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text(
        '<testsuite><testcase classname="shop" name="test_a"/>'
        '<testcase classname="shop" name="test_b"><failure message="1 != 2"/></testcase></testsuite>'
    )
    assert failures(report) == [("shop.test_b", "1 != 2")]
