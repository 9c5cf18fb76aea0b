import JSON
import Runtime
import TestSupport
import Testing

/// Tokens and keys made by PyJWT and Python's `cryptography`, so that what is read here was not written here.
struct TokenMaker {
    /// Debian's Python, which has Debian's packages.
    private static let python = "/usr/bin/python3"

    static var isThere: Bool {
        let directory = TemporaryDirectory()
        let child = try? ChildProcess(
            [python, "-c", "import jwt, cryptography"], output: .discarded, errors: .file(directory.file("err")))
        let isThere = child?.wait() == .code(0)
        if !isThere { print("skipped: python3-jwt and python3-cryptography are not installed") }
        return isThere
    }

    /// The key set in JSON.
    let keys: String
    /// Tokens by the name of their case; those whose name begins with `good` are right.
    let tokens: [(name: String, token: String)]

    /// Tokens that were issued at `now`, in seconds since the epoch.
    init(issuer: String = "https://idp.example", audience: String = "tribune", now: Int64) throws {
        let directory = TemporaryDirectory()
        let child = try ChildProcess(
            [Self.python, directory.write(Self.script, to: "make.py"), issuer, audience, "\(now)"],
            output: .file(directory.file("out")), errors: .file(directory.file("err")))
        let exit = child.wait()
        try #require(exit == .code(0), "\(FileText.read(directory.file("err")) ?? "")")
        let json = try JSON(parsing: try FileText.bytes(directory.file("out")))
        keys = json["jwks"]?.encoded ?? ""
        tokens = (json["tokens"]?.members ?? []).map { ($0.name, $0.value.text ?? "") }
    }

    private static let script = #"""
        import base64, hashlib, hmac, json, sys
        import jwt
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        issuer, audience, now = sys.argv[1], sys.argv[2], int(sys.argv[3])

        def b64(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        def number(value, size=None):
            return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))

        def public_rsa(key, kid, **more):
            n = key.public_key().public_numbers()
            return {"kty": "RSA", "kid": kid, "use": "sig", "n": number(n.n), "e": number(n.e), **more}

        def public_ec(key, kid, curve, size):
            n = key.public_key().public_numbers()
            return {"kty": "EC", "kid": kid, "crv": curve, "x": number(n.x, size), "y": number(n.y, size)}

        def raw(key):
            return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

        rsa_key, other_rsa = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
        weak = rsa.generate_private_key(65537, 1024)
        p256, p384, p521 = (ec.generate_private_key(c) for c in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()))
        ed, other_ed = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
        jwks = {"keys": [
            public_rsa(rsa_key, "rsa"), public_rsa(other_rsa, "only512", alg="RS512"), public_rsa(weak, "weak"),
            public_ec(p256, "p256", "P-256", 32), public_ec(p384, "p384", "P-384", 48),
            public_ec(p521, "p521", "P-521", 66), {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(raw(ed))},
            {"kty": "oct", "kid": "oct", "k": b64(b"0123456789abcdef0123456789abcdef")},
            public_rsa(other_rsa, "encryption", use="enc") | {"use": "enc"}, {"kty": "EC", "kid": "off", "crv": "P-256",
            "x": b64(bytes(31) + b"\1"), "y": b64(bytes(31) + b"\1")}, {"nonsense": 1},
        ]}

        def claims(**more):
            base = {"iss": issuer, "aud": audience, "sub": "alice", "iat": now, "exp": now + 600, "groups": ["sre"]}
            base.update(more)
            return {k: v for k, v in base.items() if v is not None}

        def make(key=rsa_key, alg="RS256", kid="rsa", headers=None, **more):
            return jwt.encode(claims(**more), key, algorithm=alg, headers={"kid": kid, **(headers or {})})

        def by_hand(header, payload, signature):
            head = b64(json.dumps(header).encode() if isinstance(header, dict) else header)
            body = b64(json.dumps(payload).encode() if isinstance(payload, dict) else payload)
            signed = head + "." + body
            return signed + "." + b64(signature(signed.encode()))

        pem = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        nothing = lambda signed: b""
        ed_sign = lambda signed: ed.sign(signed)
        head, body, signature = make().split(".")
        forged = b64(json.dumps(claims(sub="root")).encode())
        attacker = {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(raw(other_ed))}
        hs = lambda secret: lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()
        tokens = {
            "good RS256": make(), "good PS256": make(alg="PS256"), "good RS512": make(other_rsa, "RS512", "only512"),
            "good ES256": make(p256, "ES256", "p256"), "good ES384": make(p384, "ES384", "p384"),
            "good ES512": make(p521, "ES512", "p521"), "good EdDSA": make(ed, "EdDSA", "ed"),
            "good without kid": by_hand({"alg": "EdDSA"}, claims(), ed_sign),
            "good access token": make(headers={"typ": "at+jwt"}), "good list of audiences": make(aud=["x", audience]),
            "good within the skew": make(exp=now - 30), "good nbf": make(nbf=now + 30),
            "alg none": by_hand({"alg": "none"}, claims(), nothing),
            "alg None": by_hand({"alg": "None", "kid": "rsa"}, claims(), nothing),
            "alg none with a signature": by_hand({"alg": "none", "kid": "ed"}, claims(), ed_sign),
            "no alg": by_hand({"kid": "ed"}, claims(), ed_sign),
            "alg rs256 in small letters": by_hand({"alg": "rs256", "kid": "rsa"}, claims(), nothing),
            "HS256 with the public key as secret": by_hand({"alg": "HS256", "kid": "rsa"}, claims(), hs(pem)),
            "HS256 with the key of the set": by_hand({"alg": "HS256", "kid": "oct"}, claims(), hs(b"0123456789abcdef0123456789abcdef")),
            "HS256 with an empty secret": by_hand({"alg": "HS256", "kid": "/dev/null"}, claims(), hs(b"")),
            "EdDSA claimed for an RSA key": by_hand({"alg": "RS256", "kid": "ed"}, claims(), ed_sign),
            "key of another algorithm": make(other_rsa, "RS256", "only512"), "key of encryption": make(other_rsa, kid="encryption"),
            "weak RSA key": make(weak, kid="weak"), "another key with a known kid": make(other_rsa),
            "unknown kid": make(other_rsa, kid="nobody"), "kid as a path": make(other_rsa, kid="../../../../dev/null"),
            "kid as SQL": make(other_rsa, kid="x' UNION SELECT 'key"), "kid as a number": by_hand({"alg": "EdDSA", "kid": 1}, claims(), ed_sign),
            "key in the header": by_hand({"alg": "EdDSA", "kid": "ed", "jwk": attacker}, claims(), lambda s: other_ed.sign(s)),
            "address of a key in the header": by_hand({"alg": "EdDSA", "kid": "x", "jku": "http://127.0.0.1:1/jwks"}, claims(), lambda s: other_ed.sign(s)),
            "certificate in the header": by_hand({"alg": "EdDSA", "kid": "x", "x5u": "http://127.0.0.1:1/"}, claims(), lambda s: other_ed.sign(s)),
            "crit": by_hand({"alg": "EdDSA", "kid": "ed", "crit": ["exp"]}, claims(), ed_sign),
            "b64": by_hand({"alg": "EdDSA", "kid": "ed", "b64": False}, claims(), ed_sign),
            "alg twice": by_hand(b'{"alg":"EdDSA","alg":"none","kid":"ed"}', claims(), ed_sign),
            "sub twice": by_hand({"alg": "EdDSA", "kid": "ed"}, json.dumps(claims())[:-1].encode() + b',"sub":"root"}', ed_sign),
            "changed claims": f"{head}.{forged}.{signature}", "no signature": f"{head}.{body}.", "two parts": f"{head}.{body}",
            "half a signature": f"{head}.{body}.{signature[:100]}", "padding": f"{head}.{body}.{signature}==",
            "five parts": f"{head}.{body}.{signature}.{body}.{signature}",
            "ES256 of zeros": by_hand({"alg": "ES256", "kid": "p256"}, claims(), lambda s: bytes(64)),
            "ES256 in DER": by_hand({"alg": "ES256", "kid": "p256"}, claims(), lambda s: p256.sign(s, ec.ECDSA(__import__("cryptography").hazmat.primitives.hashes.SHA256()))),
            "point that is not on the curve": by_hand({"alg": "ES256", "kid": "off"}, claims(), lambda s: bytes(63) + b"\1"),
            "expired": make(exp=now - 61), "no end": make(exp=None), "end as text": make(exp=str(now + 600)) if False else by_hand({"alg": "EdDSA", "kid": "ed"}, claims(exp=str(now + 600)), ed_sign),
            "endless": make(exp=now + 10 * 86400), "huge end": by_hand({"alg": "EdDSA", "kid": "ed"}, claims(exp=1e300), ed_sign),
            "not valid yet": make(nbf=now + 120), "issued in the future": make(iat=now + 120, exp=now + 700),
            "other audience": make(aud="grafana"), "no audience": make(aud=None), "audience as a part": make(aud=audience + "2"),
            "other issuer": make(iss=issuer + ".evil"), "no issuer": make(iss=None), "issuer with a slash": make(iss=issuer + "/"),
            "no name": make(sub=None), "empty name": make(sub=""), "name with a line end": make(sub="a\nb"),
            "logout token": make(headers={"typ": "logout+jwt"}), "security event": make(headers={"typ": "secevent+jwt"}),
            "array as claims": by_hand({"alg": "EdDSA", "kid": "ed"}, b"[1]", ed_sign), "no JSON": by_hand(b"x", b"y", ed_sign),
            "empty": "", "dots": "..", "long": make(groups=["x" * 20000]),
        }
        print(json.dumps({"jwks": jwks, "tokens": tokens}))
        """#
}
