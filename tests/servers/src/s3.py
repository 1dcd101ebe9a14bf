# An S3-compatible server: s3.py PORT. moto answers; the signature of every request is first made anew by botocore, which
# is Amazon's own code, and must be the same. One bucket, `files`; one key, `test` with the secret `not-a-secret`.
import logging
import os
import signal
import sys
from urllib.parse import parse_qsl, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

# The guard says INT, to which a shell's background child is deaf until it listens.
signal.signal(signal.SIGINT, lambda *_: os._exit(0))

logging.getLogger("werkzeug").setLevel(logging.WARNING)

PORT = int(sys.argv[1])
HOST = f"127.0.0.1:{PORT}"


def signature_of(environ):
    """The signature that the request should carry, and the one that it does."""
    given = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    signature = given.pop("X-Amz-Signature", None)
    region = given.get("X-Amz-Credential", "////").split("/")[2]
    path = environ.get("RAW_URI", environ["PATH_INFO"]).split("?")[0]
    request = AWSRequest(environ["REQUEST_METHOD"], f"http://{HOST}{path}?{urlencode(given)}")
    request.context["timestamp"] = given.get("X-Amz-Date", "")
    auth = S3SigV4QueryAuth(Credentials("test", "not-a-secret"), "s3", region)
    canonical = auth.canonical_request(request)
    return auth.signature(auth.string_to_sign(request, canonical), request), signature


class Checked:
    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        # moto's own requests to itself, and the making of the bucket below, come without.
        wanted, given = signature_of(environ)
        if environ["PATH_INFO"] != "/ready" and wanted != given:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SignatureDoesNotMatch</Code></Error>"]
        if environ["PATH_INFO"] == "/ready":
            start_response("200 OK", [("Content-Length", "5")])
            return [b"ready"]
        return self.application(environ, start_response)


application = DomainDispatcherApplication(create_backend_app)
application({"REQUEST_METHOD": "PUT", "PATH_INFO": "/files", "QUERY_STRING": "", "HTTP_HOST": HOST,
             "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(PORT), "SERVER_PROTOCOL": "HTTP/1.1",
             "wsgi.url_scheme": "http", "wsgi.input": sys.stdin.buffer, "wsgi.errors": sys.stderr,
             "CONTENT_LENGTH": "0", "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"},
            lambda status, headers, *_: print("bucket:", status, flush=True))
run_simple("127.0.0.1", PORT, Checked(application), threaded=True)
