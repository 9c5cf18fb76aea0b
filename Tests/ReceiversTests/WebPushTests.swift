import ConfigurationFields
import CurlHTTP
import JSON
import MetricModel
import TLS
import Testing

@testable import Receivers

@Suite struct WebPushTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let handling = WebPush.Handling(lifetime: .hours(1), isUrgent: true, topic: "k3f9x2ab")

    private static func bytes(_ text: String) -> [UInt8] { Base64URL.bytes(text) ?? [] }

    /// The browser of RFC 8291, appendix A.
    private static func target(_ endpoint: String = "https://updates.push.services.mozilla.com/wpush/v2/x") throws
        -> WebPush.Target
    {
        try #require(
            WebPush.Target(
                endpoint: endpoint,
                key: bytes(
                    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
                secret: bytes("BTBZMqHH6r4Tts7J_aSIgg")))
    }

    private static func push(services: [String] = []) throws -> (WebPush, P256Key) {
        let key = try P256Key.generate()
        var http = HTTPSettings()
        http.followsRedirects = true
        let push = WebPush(
            key: key, contact: "mailto:oncall@example.org", services: PushServices(more: services), http: http)
        return (push, key)
    }

    private static func delivery(_ standIn: any DeliveryTransport) -> Delivery {
        Delivery(
            SenderFixture.message(), externalURL: "http://tribune:9190", templates: .defaults, transport: standIn)
    }

    @Test func `a message is encrypted to the bytes of RFC 8291, appendix A`() throws {
        let body = try PushEncryption.body(
            Array("When I grow up, I want to be a watermelon".utf8), for: Self.target(),
            sender: P256Key(number: Self.bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")),
            salt: Self.bytes("DGv6ra1nlYgDCS1FRnbzlw"))
        #expect(
            Base64URL.text(body)
                == "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
                + "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
    }

    /// Takes a request of a push service.
    private final class Service: DeliveryTransport {
        let check: @Sendable (HTTPRequest) -> Int
        init(_ check: @escaping @Sendable (HTTPRequest) -> Int) { self.check = check }
        func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
            HTTPResponse(status: check(request), headers: [], body: [])
        }
        func send(_ mail: Mail) throws(HTTPFailure) {}
    }

    @Test func `a request has the header fields of RFC 8030 and a token for its service only`() throws {
        let (push, key) = try Self.push()
        let service = Service { request in
            let fields = Dictionary(request.headers.map { ($0.name, $0.value) }) { $1 }
            #expect(request.method == "POST" && request.maximumRedirects == 0)
            #expect(fields["TTL"] == "3600" && fields["Urgency"] == "high" && fields["Topic"] == "k3f9x2ab")
            #expect(fields["Content-Encoding"] == "aes128gcm" && request.body.count == 2 + PushEncryption.overhead)
            let authorization = fields["Authorization"] ?? ""
            #expect(authorization.hasPrefix("vapid t=") && authorization.hasSuffix(", k=\(Base64URL.text(key.point))"))
            let token = authorization.dropFirst("vapid t=".count).prefix { $0 != "," }.split(separator: ".")
            let parts = token.map { Base64URL.bytes($0) ?? [] }
            guard parts.count == 3 else { return 400 }
            let claims = (try? JSON(parsing: parts[1])) ?? .null
            #expect(claims["aud"]?.text == "https://updates.push.services.mozilla.com")
            #expect(claims["sub"]?.text == "mailto:oncall@example.org")
            let expires: Int64 = 1_700_000_000 + 12 * 3600
            #expect(claims["exp"]?.integer == expires)
            let verifier = try? SignatureKey(
                ecX: Array(key.point[1...32]), y: Array(key.point[33...64]), .es256)
            #expect(verifier?.isValid(parts[2], over: Array(token[0...1].joined(separator: ".").utf8)) == true)
            return 201
        }
        let outcome = try push.send([1, 2], to: Self.target(), Self.handling, at: Self.now, by: Self.delivery(service))
        #expect(outcome == .accepted)
    }

    @Test(arguments: [
        (201, "accepted"), (204, "accepted"), (404, "gone"), (410, "gone"), (429, "retried"), (503, "retried"),
        (302, "refused"), (400, "refused"), (403, "refused"), (413, "refused"),
    ])
    func `what a service says decides what follows`(status: Int, expected: String) throws {
        let (push, _) = try Self.push()
        let found: String
        do throws(DeliveryFailure) {
            let target = try? Self.target()
            let outcome = try push.send(
                [1], to: target!, Self.handling, at: Self.now, by: Self.delivery(Service { _ in status }))
            found = outcome == .gone ? "gone" : "accepted"
        } catch {
            found = error.isRetryable ? "retried" : "refused"
        }
        #expect(found == expected)
    }

    @Test(arguments: [
        "http://fcm.googleapis.com/x", "https://example.org/x", "https://fcm.googleapis.com.example.org/x",
        "https://fcm.googleapis.com@169.254.169.254/x", "https://fcm.googleapis.com:8443/x", "https://127.0.0.1/x",
        "https://[::1]/x", "https://push.apple.com/x", "https://evilpush.apple.com.example/x",
        "https://evil-notify.windows.com/x", "https://fcm.googleapis.com\\@127.0.0.1/x",
        "https://fcm.googleapis.com#/x",
        "https:fcm.googleapis.com/x", "HTTPS://fcm.googleapis.com/x", "https://FCM.googleapis.com/x",
        "https://fcm.googleapis.com/ x", "https://fcm.googleapis.com/\n", "", "https://", "file:///etc/passwd",
        "https://fcm.googleapis.com:/x", "https://.notify.windows.com/x", "https://a..notify.windows.com/x",
        "https://127.0.0.1?.push.apple.com", "https://fcm.googleapis.com/" + String(repeating: "x", count: 2000),
    ])
    func `nothing is sent to an address that is not of a push service`(endpoint: String) throws {
        let (push, _) = try Self.push()
        let target = try Self.target(endpoint)
        #expect(push.refusal(of: target) != nil)
        let service = Service { _ in
            Issue.record("a request was sent")
            return 201
        }
        #expect(throws: DeliveryFailure.self) {
            try push.send([1], to: target, Self.handling, at: Self.now, by: Self.delivery(service))
        }
    }

    @Test func `services of known browsers are taken, and others by the configuration`() throws {
        let (push, _) = try Self.push(services: ["push.example.org", "localhost:8443", "*.push.example.net"])
        for endpoint in [
            "https://fcm.googleapis.com/fcm/send/a:b", "https://web.push.apple.com/QX",
            "https://fcm.googleapis.com:443/x",
            "https://wns2-par02p.notify.windows.com/w/?token=BQY%3d", "https://push.example.org/x",
            "https://localhost:8443/x", "https://a.push.example.net/x",
        ] {
            #expect(push.refusal(of: try Self.target(endpoint)) == nil, "\(endpoint)")
        }
        for endpoint in ["https://localhost/x", "https://push.example.org:8443/x", "https://push.example.net/x"] {
            #expect(push.refusal(of: try Self.target(endpoint)) != nil, "\(endpoint)")
        }
    }

    @Test func `keys that are no point of the curve are refused`() throws {
        let (push, _) = try Self.push()
        var key = try Self.target().key
        key[64] ^= 1
        let target = try #require(
            WebPush.Target(
                endpoint: "https://fcm.googleapis.com/x", key: key, secret: [UInt8](repeating: 1, count: 16)))
        #expect(push.refusal(of: target) != nil)
        #expect(WebPush.Target(endpoint: "https://fcm.googleapis.com/x", key: Array(key.dropLast()), secret: []) == nil)
    }
}
