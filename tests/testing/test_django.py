"""Django's own test classes, in a run of Django's own test runner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

PROJECT = {
    "settings.py": """
        import os
        from urllib.parse import parse_qs, unquote, urlsplit

        parts = urlsplit(os.environ["SHOP_DSN"])
        SECRET_KEY = "not one"
        INSTALLED_APPS = ["shop"]
        USE_TZ = True
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        DATABASES = {
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path.removeprefix("/"),
                "HOST": parse_qs(parts.query).get("host", [unquote(parts.hostname or "")])[0],
                "PORT": str(parts.port or 5432),
                "USER": unquote(parts.username or ""),
                "PASSWORD": unquote(parts.password or ""),
            }
        }
    """,
    "shop/__init__.py": "",
    "shop/models.py": """
        from django.db import models

        class Order(models.Model):
            shipped = models.BooleanField(default=False)
    """,
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": """
        import os
        from django.db import migrations, models
        from staffa.client.backend import make_migrator

        class Migration(migrations.Migration):
            operations = [
                migrations.CreateModel(
                    "Order",
                    [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("shipped", models.BooleanField(default=False)),
                    ],
                ),
                migrations.RunSQL(make_migrator(os.environ["SHOP_DSN"], "public").script()),
            ]
    """,
    "shop/jobs.py": """
        import os
        from staffa import Staffa, job
        from shop.models import Order

        app = Staffa(os.environ["SHOP_DSN"], testing="manual")

        @job(queue="shipping")
        def ship(order: int):
            Order.objects.filter(pk=order).update(shipped=True)
            if not Order.objects.filter(pk=order).exists():
                raise LookupError(order)
            tell.enqueue_sync(order)

        @job(queue="shipping")
        async def tell(order: int):
            ...

        def place_order():
            order = Order.objects.create()
            ship.enqueue_sync(order.pk)
            return order
    """,
    "shop/tests.py": """
        from asgiref.sync import sync_to_async
        from django.db import connection, transaction
        from django.test import TestCase

        from shop.jobs import place_order, ship
        from shop.models import Order
        from staffa.testing import mode
        from staffa.testing.sync import (
            all_enqueued, assert_enqueued, drain_queue, refute_enqueued,
        )

        class Isolation:
            def test_one_leaves_nothing_behind(self):
                refute_enqueued()
                place_order()
                assert_enqueued(worker=ship)

            def test_two_leaves_nothing_behind(self):
                refute_enqueued()
                place_order()
                assert len(all_enqueued(queue="shipping", conn="default")) == 1

        class InTestCase(Isolation, TestCase):
            def test_jobs_run_in_the_tests_transaction(self):
                order = place_order()
                assert_enqueued(worker=ship, args={"order": order.pk})
                assert drain_queue("shipping")["completed"] == 2
                order.refresh_from_db()
                assert order.shipped
                refute_enqueued()

            def test_a_rollback_takes_the_jobs_along(self):
                try:
                    with transaction.atomic():
                        place_order()
                        raise LookupError
                except LookupError:
                    pass
                refute_enqueued()

            def test_errors_of_jobs_are_raised(self):
                ship.enqueue_sync(12345)
                with self.assertRaises(LookupError):
                    drain_queue("shipping")
                assert len(all_enqueued(state="retryable")) == 1
                assert Order.objects.count() == 0, "the transaction goes on"

            def test_inline_jobs_find_what_the_test_has_written(self):
                with mode("inline"):
                    order = place_order()
                order.refresh_from_db()
                assert order.shipped

            def test_the_rows_are_in_the_tests_transaction(self):
                place_order()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM oban_jobs")
                    assert cursor.fetchone() == (1,)

            async def test_async_tests_look_through_sync_to_async(self):
                order = await sync_to_async(place_order)()
                await sync_to_async(assert_enqueued)(worker=ship, args={"order": order.pk})
                counts = await sync_to_async(drain_queue)("shipping")
                assert counts["completed"] == 2
    """,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        lines = text.splitlines()
        path.write_text("\n".join(line.removeprefix("        ") for line in lines) + "\n")
    return tmp_path


def test_djangos_test_case_holds_the_jobs_in_its_transaction(project: Path, dsn: str) -> None:
    name = unquote(urlsplit(dsn).path.removeprefix("/"))
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("STAFFA_")},
        "SHOP_DSN": dsn,
        "DJANGO_SETTINGS_MODULE": "settings",
    }

    result = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", "django", "test", "shop", "-v", "2"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Ran 8 tests" in result.stderr
    assert f"test_{name}" in result.stdout + result.stderr
