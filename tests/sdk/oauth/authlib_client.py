"""Calls authlib for each line of JSON on the standard input: the operation and a token."""

import json
import sys
import warnings

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator

base, client_id, secret, way, *audience = sys.argv[1:]
metadata = requests.get(f"{base}/.well-known/openid-configuration").json()
methods = {"default": {}, "none": {"token_endpoint_auth_method": "none"}}
method = methods.get(way, {"token_endpoint_auth_method": way})
# Introspection and revocation have settings of their own, with the same default.
if way not in methods:
    method["revocation_endpoint_auth_method"] = way
session = OAuth2Session(client_id, secret or None, **method)


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return requests.get(metadata["jwks_uri"]).json()


def told(response):
    """The answer of an endpoint whose answers this library hands on as they are."""
    body = response.json()
    if "error" in body:
        raise OAuthError(body["error"])
    return body


def introspect(token):
    body = told(session.introspect_token(metadata["introspection_endpoint"], token=token))
    return body if body["active"] else None


def verify(token):
    validator = Validator(base, audience[0])
    try:
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, None, None)
    except InvalidTokenError:
        return None
    return claims["sub"]


operations = {
    "metadata": lambda _: metadata,
    "introspect": introspect,
    "refresh": lambda token: session.refresh_token(metadata["token_endpoint"], refresh_token=token),
    "revoke": lambda token: told(session.revoke_token(metadata["revocation_endpoint"], token=token)),
    "verify": verify,
}
warnings.simplefilter("ignore")
for line in sys.stdin:
    operation, token = json.loads(line)
    try:
        answer = {"result": operations[operation](token)}
    except OAuthError as error:
        answer = {"error": error.error}
    print(json.dumps(answer), flush=True)
