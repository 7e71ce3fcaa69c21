import unittest

from makoto_common import tenant


def event(**authorizer: object) -> dict[str, object]:
    return {"requestContext": {"authorizer": authorizer}}


class TenantTest(unittest.TestCase):
    def test_of_both_kinds_of_api(self) -> None:
        claims = {"custom:tenant_id": "acme"}
        for e in (event(claims=claims), event(jwt={"claims": claims})):
            self.assertEqual(tenant.of(e).key("USER", "1"), "TENANT#acme#USER#1")

    def test_nobody(self) -> None:
        headers = {"headers": {"X-Tenant-Id": "acme"}}
        for e in ({}, headers, {"requestContext": None}, event(claims={"custom:tenant_id": 7})):
            with self.assertRaises(tenant.NoTenant):
                tenant.of(e)

    def test_of_no_valid_name(self) -> None:
        for name in ("", "ACME", "a#b", "a\n", "-a", "a" * 64):
            with self.assertRaises(tenant.NoTenant):
                tenant.Tenant(name)
