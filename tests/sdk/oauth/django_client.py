"""A Django application that django-oauth-toolkit protects: asked for its user with the token of each line of JSON."""

import json
import logging
import sys

import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

base, client_id, secret, way = sys.argv[1:]
credential = {
    "RESOURCE_SERVER_AUTH_TOKEN": secret,
    "RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": (client_id, secret),
}
settings.configure(
    ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER={"RESOURCE_SERVER_INTROSPECTION_URL": f"{base}/oauth2/introspect", way: credential[way]},
    ROOT_URLCONF=__name__,
    SECRET_KEY="only a test",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from oauth2_provider.decorators import protected_resource  # noqa: E402


@protected_resource()
def user(request):
    return JsonResponse({"username": request.resource_owner.get_username()})


urlpatterns = [path("user", user)]
call_command("migrate", verbosity=0)
logging.disable()
client = Client()
for line in sys.stdin:
    _, token = json.loads(line)
    response = client.get("/user", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code in (200, 403), response
    print(json.dumps({"result": response.json() if response.status_code == 200 else None}), flush=True)
