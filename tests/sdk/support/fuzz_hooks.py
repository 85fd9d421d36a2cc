"""What Schemathesis does not know by itself: how to sign in, what is there, and what counts as broken."""

import json
import os
import urllib.error
import urllib.request

import schemathesis

users = ["somebody-0"]
opened = []


def open_session():
    body = {"user_id": users[-1], "scope": "sessions:admin sessions:write sessions:read", "tokens": "session"}
    request = urllib.request.Request(
        os.environ["SOJOURN_BASE"] + "/v1/sessions",
        json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ["SOJOURN_KEY"], "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise
        # A request has banned this user.
        users.append(f"somebody-{len(users)}")
        return open_session()


# A new session for each request, because many requests end theirs.
@schemathesis.auth(refresh_interval=None)
class Session:
    def get(self, case, context):
        session = open_session()
        opened.append(session["session"]["id"])
        return session["session_token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = os.environ["SOJOURN_AUTHORIZATION"].format(data)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """In half of the requests the path names what is there."""
    if path_parameters and opened and len(opened) % 2 == 0:
        for name in path_parameters:
            is_user = name == "userDn" or (name == "id" and "user" in context.operation.path)
            path_parameters[name] = users[-1] if is_user else opened[-1]
    return path_parameters


@schemathesis.check
def does_not_break_down(context, response, case):
    # 503 asks for a retry, such as when the database is busy.
    assert response.status_code < 500 or response.status_code == 503, f"{response.status_code}: {response.text}"
