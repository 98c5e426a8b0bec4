"""django-oauth-toolkit on a free port of 127.0.0.1: opaque tokens, introspection, revocation; with
faults on demand (`wsgi_faults.py`).

Says `READY <base address>`; ends when its standard input does. The argument is a folder for its
database.
"""

import os
import pathlib
import sys
import threading

import django
from django.conf import settings

SCOPES = ["read:word", "write:word", "team:blue"]
DATABASE = pathlib.Path(sys.argv[1]) / f"django-{os.getpid()}.sqlite3"
DATABASE.unlink(missing_ok=True)

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE,
            # Several at once wait for each other, rather than fail.
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER={
        "SCOPES": {scope: scope for scope in [*SCOPES, "introspection"]},
        "ACCESS_TOKEN_EXPIRE_SECONDS": 300,
    },
    # Secrets are stored like passwords, whose hashes are slow on purpose.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.servers.basehttp import ThreadedWSGIServer  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from wsgi_faults import Faults, RequestHandler  # noqa: E402

ENDPOINTS = {"/o/introspect/": "introspection", "/o/revoke_token/": "revocation", "/o/token/": "token"}
urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


def main():
    call_command("migrate", verbosity=0)
    from oauth2_provider.models import Application

    clients = [("svc", "svc-secret"), ("rs", "rs-secret"), ("svc:odd %41 ä", 'pä ß+:%41&="\\Ω😀')]
    for client, secret in clients:
        Application.objects.create(
            client_id=client,
            client_secret=secret,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
            name=client,
        )
    server = ThreadedWSGIServer(("127.0.0.1", 0), RequestHandler)
    server.daemon_threads = True
    server.set_app(Faults(get_wsgi_application(), ENDPOINTS))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"READY http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
    DATABASE.unlink(missing_ok=True)


main()
