import io
import json
import unittest

from makoto_common import log


class LogTest(unittest.TestCase):
    def test_a_line_of_json(self) -> None:
        out = io.StringIO()
        logger = log.get("test_a_line_of_json", out)
        logger.info("%s を保存しました", "メモ", extra={"fields": {"tenant": "acme", "Access-Token": "x"}})
        self.assertEqual(log.get("test_a_line_of_json"), logger)
        line = json.loads(out.getvalue())
        self.assertEqual(line["message"], "メモ を保存しました")
        self.assertEqual((line["tenant"], line["Access-Token"]), ("acme", "***"))

    def test_an_exception(self) -> None:
        out = io.StringIO()
        try:
            raise ValueError("why")
        except ValueError:
            log.get("test_an_exception", out).exception("it failed")
        self.assertIn("ValueError: why", json.loads(out.getvalue())["exception"])
