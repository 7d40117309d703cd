"""An OpenID Connect issuer on this machine: HTTPS with a certificate of a CA of its own, published keys, signed tokens.

Made with the openssl command alone: what a pipeline's issuer does, without its libraries."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
import time

from harness import run

AUDIENCE = "sts.amazonaws.com"
SUBJECT = "repo:octo/app:ref:refs/heads/main"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKey:
    def __init__(self, folder, kid):
        self.kid = kid
        self.path = folder / f"{kid}.pem"
        run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path])

    def jwk(self):
        modulus = run(["openssl", "rsa", "-in", self.path, "-noout", "-modulus"]).stdout.strip().split("=")[1]
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}

    def sign(self, claims, **header):
        header = {"typ": "JWT", "alg": "RS256", "kid": self.kid, **header}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.path)], input=text.encode(),
                                   capture_output=True, check=True, timeout=30).stdout
        return f"{text}.{base64url(signature)}"


class Issuer:
    """Serves `documents` until close(); a text is a place to go to instead. `ca` is the file that clients must trust, its own or that
    of another issuer; `asked` the paths that were asked for."""

    def __init__(self, folder, ca=None):
        self.ca = ca or self._make_ca(folder)
        self._make_certificate(folder)
        self.key = SigningKey(folder, "key-1")
        self.asked = []
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                document = issuer.documents.get(self.path)
                if isinstance(document, str):
                    self.send_response(302)
                    self.send_header("Location", document)
                else:
                    self.send_response(404 if document is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.name = f"localhost:{self.server.server_port}"
        self.url = f"https://{self.name}"
        self.documents = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": self.url + "/jwks"},
            "/jwks": {"keys": [self.key.jwk()]},
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def _make_ca(folder):
        ca = folder / "ca.pem"
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA",
             "-keyout", ca.with_suffix(".key"), "-out", ca, "-addext", "basicConstraints=critical,CA:TRUE"])
        return ca

    def _make_certificate(self, folder):
        run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", folder / "server.key",
             "-out", folder / "server.csr"])
        (folder / "names").write_text("subjectAltName=DNS:localhost\n")
        run(["openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", self.ca, "-CAkey", self.ca.with_suffix(".key"),
             "-days", "2", "-set_serial", str(time.time_ns()), "-extfile", folder / "names", "-out", folder / "server.pem"])

    def claims(self, **more):
        now = int(time.time())
        return {"iss": self.url, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "nbf": now - 5, "exp": now + 300,
                "repository": "octo/app", **more}

    def token(self, **more):
        return self.key.sign(self.claims(**more))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
