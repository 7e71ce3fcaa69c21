import json
import logging
import unittest

from makoto_common import response, tenant


class ResponseTest(unittest.TestCase):
    def test_ok(self) -> None:
        answer = response.ok({"名前": "誠"}, 201)
        self.assertEqual(answer["statusCode"], 201)
        self.assertEqual(json.loads(answer["body"]), {"名前": "誠"})

    def test_exceptions(self) -> None:
        @response.handler
        def fails(event, context):
            raise event["raises"]

        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.assertEqual(fails({"raises": tenant.NoTenant("nobody")}, None)["statusCode"], 403)
        answer = fails({"raises": KeyError("secret")}, None)
        self.assertEqual(answer["statusCode"], 500)
        self.assertNotIn("secret", answer["body"])
