import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// A push service with browsers, on loopback and over TLS, as strict as RFC 8030, 8291 and 8292 allow it to be. It
/// checks the token with Debian's `jwt`, and decrypts with Debian's `cryptography` as a browser does.
final class PushService {
    /// A message that a browser has read.
    struct Message: Equatable {
        var browser: String
        var topic: String
        var urgency: String
        var lifetime: Int
        var text: JSON
    }

    /// What a browser gives to the server that it subscribes to.
    struct Subscription {
        var endpoint: String
        var key: String
        var secret: String

        /// The form of the request that adds it.
        func form(_ person: String, name: String = "phone") -> String {
            "person=\(person)&endpoint=\(endpoint)&p256dh=\(key)&auth=\(secret)&name=\(name)"
        }
    }

    let certificates = Certificates()
    let port = Loopback.freePort()
    private let directory = TemporaryDirectory()
    private let process: ChildProcess
    private let client = HTTPClient()

    init() throws {
        directory.write(Self.program, to: "service.py")
        process = try ChildProcess(
            [
                "/usr/bin/python3", directory.file("service.py"), "\(port)", certificates.path("server.pem"),
                certificates.path("server.key"),
            ], output: .file(directory.file("log")), errors: .file(directory.file("log")))
        #expect(Loopback.eventually { (try? ask("GET", "/messages")) != nil }, "\(log)")
    }

    deinit { _ = process.stop() }

    var log: String { FileText.read(directory.file("log")) ?? "" }

    @discardableResult
    func ask(_ method: String, _ path: String) throws -> JSON {
        var request = HTTPRequest(method: method, url: "https://localhost:\(port)\(path)")
        request.tls.authorities = .file(certificates.path("ca.pem"))
        let response = try client.send(request)
        try #require(response.status == 200)
        return try JSON(parsing: response.body)
    }

    /// A browser that subscribes with the key of a server, as `pushManager.subscribe` does.
    func subscribe(_ serverKey: String) throws -> Subscription {
        let json = try ask("POST", "/subscribe/\(serverKey)")
        return Subscription(
            endpoint: json["endpoint"]?.text ?? "", key: json["p256dh"]?.text ?? "", secret: json["auth"]?.text ?? "")
    }

    /// The next messages to a browser are answered with `status`.
    func answer(_ subscription: Subscription, _ status: Int, count: Int = 1_000_000) throws {
        let id = subscription.endpoint.split(separator: "/").last ?? ""
        try ask("POST", "/answer/\(id)/\(status)/\(count)")
    }

    /// What browsers have read, and why a message was refused.
    func heard() -> (messages: [Message], faults: [String]) {
        guard let json = try? ask("GET", "/messages") else { return ([], ["the push service does not answer"]) }
        let messages = (json["messages"]?.elements ?? []).map { one in
            Message(
                browser: one["browser"]?.text ?? "", topic: one["topic"]?.text ?? "",
                urgency: one["urgency"]?.text ?? "", lifetime: one["ttl"]?.integer.map(Int.init) ?? 0,
                text: one["text"] ?? .null)
        }
        return (messages, (json["faults"]?.elements ?? []).compactMap(\.text))
    }

    /// The `push` of an oncall.yml that knows this service.
    var settings: String {
        """
        push:
          contact: mailto:oncall@example.org
          services: ['localhost:\(port)']
          http_config: {tls_config: {ca_file: '\(certificates.path("ca.pem"))'}}
        """
    }

    private static let program = #"""
        import base64, hashlib, hmac, http.server, json, os, re, ssl, sys, time
        import jwt
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        port = int(sys.argv[1])
        browsers, answers, messages, faults, salts, senders = {}, {}, [], [], set(), set()

        def text(data): return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        def data(text):
            assert re.fullmatch("[A-Za-z0-9_-]+", text), "not base64url"
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        def point(key): return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        def expand(salt, secret, info, count):
            first = hmac.new(salt, secret, hashlib.sha256).digest()
            return hmac.new(first, info + b"\1", hashlib.sha256).digest()[:count]

        def decrypt(browser, body):
            salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
            assert length == 65, "the key id is the sender's point"
            sender, sealed = body[21:86], body[86:]
            assert 18 <= size and len(sealed) <= size, "one record"
            assert salt not in salts and sender not in senders, "salt and key are new for each message"
            salts.add(salt); senders.add(sender)
            peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
            shared = browser["private"].exchange(ec.ECDH(), peer)
            secret = expand(browser["auth"], shared, b"WebPush: info\0" + point(browser["private"]) + sender, 32)
            key = expand(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
            nonce = expand(salt, secret, b"Content-Encoding: nonce\0", 12)
            plain = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
            assert plain[-1:] == b"\2", "the last record ends with 2"
            return plain[:-1]

        def check(id, browser, headers, body):
            assert re.fullmatch("[0-9]{1,10}", headers.get("TTL", "")), "TTL"
            assert headers.get("Urgency", "normal") in ("very-low", "low", "normal", "high"), "Urgency"
            topic = headers.get("Topic")
            assert topic is None or re.fullmatch("[A-Za-z0-9_-]{1,32}", topic), "Topic"
            assert headers.get("Content-Encoding") == "aes128gcm", "Content-Encoding"
            match = re.fullmatch("vapid t=([^,]+), ?k=([A-Za-z0-9_-]+)", headers.get("Authorization", ""))
            assert match, "Authorization"
            token, key = match.groups()
            assert key == browser["server"], "another server's key than the browser subscribed with"
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data(key))
            assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "ES256"}, "header of the token"
            claims = jwt.decode(token, public, algorithms=["ES256"], audience=f"https://localhost:{port}",
                                options={"require": ["exp", "aud", "sub"]})
            assert claims["exp"] <= time.time() + 24 * 3600, "exp is at most a day away"
            assert re.match("mailto:|https:", claims["sub"]), "sub"
            messages.append({"browser": id, "topic": topic, "urgency": headers.get("Urgency", "normal"),
                             "ttl": int(headers["TTL"]), "text": json.loads(decrypt(browser, body))})

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *_): pass
            def reply(self, status, content=None, headers={}):
                body = b"" if content is None else json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items(): self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def do_GET(self): self.reply(200, {"messages": messages, "faults": faults})
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                _, kind, *rest = self.path.split("/")
                if kind == "subscribe":
                    id = text(os.urandom(12))
                    browsers[id] = {"private": ec.generate_private_key(ec.SECP256R1()), "auth": os.urandom(16),
                                    "server": rest[0]}
                    return self.reply(200, {"endpoint": f"https://localhost:{port}/push/{id}",
                        "p256dh": text(point(browsers[id]["private"])), "auth": text(browsers[id]["auth"])})
                if kind == "answer":
                    answers[rest[0]] = [int(rest[1]), int(rest[2])]
                    return self.reply(200, {})
                browser = browsers.get(rest[0])
                if browser is None: return self.reply(404)
                if len(body) > 4096: return self.reply(413)
                planned = answers.get(rest[0])
                if planned and planned[1] > 0:
                    planned[1] -= 1
                    return self.reply(planned[0])
                try: check(rest[0], browser, self.headers, body)
                except Exception as fault:
                    faults.append(f"{type(fault).__name__}: {fault}")
                    return self.reply(400, {"fault": faults[-1]})
                self.reply(201, headers={"Location": f"https://localhost:{port}/message/{len(messages)}"})

        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()
        """#
}
