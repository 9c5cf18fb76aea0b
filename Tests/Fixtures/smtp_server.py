"""An SMTP server for tests: prints each mail it accepts as one line of JSON. Arguments: mode, certificate, key.

mode: plain (no TLS), starttls (TLS must be started), implicit (TLS from the first byte).
"""
import json
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "hello": session.host_name,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": (session.auth_data.login.decode() if session.auth_data else None),
            "data": envelope.content.decode("latin-1"),
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == b"ops" and data.password == b"s3cret"
    return AuthResult(success=good, handled=False, auth_data=data if good else None)


def main():
    mode, certificate, key = sys.argv[1:4]
    context = None
    if mode != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    options = dict(
        hostname="127.0.0.1", port=0, authenticator=authenticate, auth_require_tls=False,
        auth_required=mode == "starttls")
    if mode == "starttls":
        options.update(tls_context=context, require_starttls=True)
    if mode == "implicit":
        options.update(ssl_context=context)
    controller = Controller(Handler(), **options)
    controller.port = free_port()
    controller.start()
    print(json.dumps({"port": controller.port}), flush=True)
    # The test ends it; nothing runs for ever.
    time.sleep(120)


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


main()
