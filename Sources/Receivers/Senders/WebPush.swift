public import ConfigurationFields
internal import CurlHTTP
internal import JSON
public import MetricModel
public import TLS

/// Sends messages to browsers by the push services that they chose (RFC 8030), encrypted for the browser (RFC 8291) and
/// signed by this server (RFC 8292). A value that may be shared between threads.
public struct WebPush: Sendable {
    /// Where a browser takes messages, and its keys. A value.
    public struct Target: Equatable, Sendable {
        /// The address that its push service gave to the browser. Who knows it can send, so it is a secret.
        public let endpoint: String
        /// The browser's public point on P-256, uncompressed.
        public let key: [UInt8]
        /// The browser's secret of 16 bytes.
        public let secret: [UInt8]

        /// A target; `nil` for keys of other lengths.
        public init?(endpoint: String, key: [UInt8], secret: [UInt8]) {
            guard key.count == P256Key.pointByteCount, key[0] == 4, secret.count == PushEncryption.secretByteCount
            else { return nil }
            self.endpoint = endpoint
            self.key = key
            self.secret = secret
        }
    }

    /// How the service treats a message. A value.
    public struct Handling: Equatable, Sendable {
        /// How long the service keeps it for a browser that is not connected.
        public var lifetime: Milliseconds
        /// Whether it wakes a device that saves power.
        public var isUrgent: Bool
        /// A later message of the same topic replaces one that the service still keeps: at most 32 letters, digits, `-`
        /// or `_`.
        public var topic: String

        /// A handling.
        public init(lifetime: Milliseconds, isUrgent: Bool, topic: String) {
            self.lifetime = lifetime
            self.isUrgent = isUrgent
            self.topic = topic
        }
    }

    /// The answer of the service.
    public enum Outcome: Equatable, Sendable {
        /// It will deliver the message.
        case accepted
        /// The browser does not take messages any more.
        case gone
    }

    /// The most bytes of a message: what every service takes, 4096, without the encryption's own.
    public static let longestPayload = 4096 - PushEncryption.overhead
    /// How long a token for a service counts; at most 24 hours are allowed.
    private static let tokenLifetime = Milliseconds.hours(12)
    /// The longest time that services accept.
    private static let longestLifetime = Milliseconds.hours(24 * 28)

    private let key: P256Key
    private let contact: String
    private let services: PushServices
    private let http: HTTPSettings

    /// - Parameters:
    ///   - key: identifies this server; a browser takes messages of the key that it subscribed with only.
    ///   - contact: whom a service can write to, `mailto:` or `https:`.
    ///   - http: proxy and TLS. Redirects are never followed.
    public init(key: P256Key, contact: String, services: PushServices, http: HTTPSettings) {
        self.key = key
        self.contact = contact
        self.services = services
        self.http = http
    }

    /// The key with which browsers subscribe, in base64url.
    public var publicKey: String { Base64URL.text(key.point) }

    /// Why a browser with this target is not taken; `nil` if it is.
    public func refusal(of target: Target) -> String? {
        if let refusal = services.refusal(of: target.endpoint) { return refusal }
        do throws(TLSError) { _ = try key.sharedSecret(with: target.key) } catch { return error.message }
        return nil
    }

    /// Sends `payload`, at most ``longestPayload`` bytes, and returns when the service has accepted it.
    public func send(
        _ payload: [UInt8], to target: Target, _ handling: Handling, at now: Timestamp, by delivery: Delivery
    ) throws(DeliveryFailure) -> Outcome {
        if let refusal = services.refusal(of: target.endpoint) { throw DeliveryFailure(refusal, isRetryable: false) }
        guard payload.count <= Self.longestPayload else {
            throw DeliveryFailure("a message for browsers has at most \(Self.longestPayload) bytes", isRetryable: false)
        }
        var request = HTTPRequest(method: "POST", url: target.endpoint)
        do throws(TLSError) {
            request.body = try PushEncryption.body(
                payload, for: target, sender: try .generate(),
                salt: try SecureRandom.bytes(PushEncryption.saltByteCount))
            request.headers = [
                ("TTL", String(min(handling.lifetime, Self.longestLifetime).rawValue / 1000)),
                ("Urgency", handling.isUrgent ? "high" : "normal"), ("Topic", handling.topic),
                ("Content-Encoding", "aes128gcm"), ("Content-Type", "application/octet-stream"),
                ("Authorization", try authorization(for: target.endpoint, at: now)),
            ]
        } catch {
            throw DeliveryFailure(error.message, isRetryable: false)
        }
        var settings = http
        settings.followsRedirects = false
        request.timeoutMilliseconds = Delivery.timeoutMilliseconds
        let response = try delivery.send(request, settings)
        if response.status == 404 || response.status == 410 { return .gone }
        try Delivery.check(response)
        return .accepted
    }

    /// The token by which this server says who it is, for the service of `endpoint` only.
    func authorization(for endpoint: String, at now: Timestamp) throws(TLSError) -> String {
        let header: JSON = ["typ": "JWT", "alg": "ES256"]
        let claims: JSON = [
            "aud": .string(PushServices.origin(of: endpoint) ?? ""),
            "exp": .integer((now + Self.tokenLifetime).milliseconds / 1000), "sub": .string(contact),
        ]
        let text = [header, claims].map { Base64URL.text($0.jsonBytes) }.joined(separator: ".")
        let signature = try key.sign(Array(text.utf8))
        return "vapid t=\(text).\(Base64URL.text(signature)), k=\(publicKey)"
    }
}

/// The encryption of a message for one browser (RFC 8291), in one record of `aes128gcm` (RFC 8188).
///
/// ```
/// salt (16) | record size (4) | 65 (1) | sender's point (65) | AES-128-GCM of: text | 2
/// ```
enum PushEncryption {
    static let saltByteCount = 16
    static let secretByteCount = 16
    private static let recordSize: UInt32 = 4096
    /// By how much the body is longer than the text.
    static let overhead = saltByteCount + 4 + 1 + P256Key.pointByteCount + 1 + AES128GCM.tagByteCount

    /// - Parameters:
    ///   - sender: a key for this message only.
    ///   - salt: 16 random bytes.
    static func body(
        _ text: [UInt8], for target: WebPush.Target, sender: P256Key, salt: [UInt8]
    ) throws(TLSError) -> [UInt8] {
        let shared = try sender.sharedSecret(with: target.key)
        let secret = HKDFSHA256.key(
            from: shared, salt: target.secret, info: Array("WebPush: info\0".utf8) + target.key + sender.point,
            count: SHA256.byteCount)
        func derived(_ purpose: String, _ count: Int) -> [UInt8] {
            HKDFSHA256.key(from: secret, salt: salt, info: Array("Content-Encoding: \(purpose)\0".utf8), count: count)
        }
        // The last record ends with 2, and there may be zeros after it.
        let sealed = try AES128GCM.seal(
            text + [2], key: derived("aes128gcm", AES128GCM.keyByteCount),
            nonce: derived("nonce", AES128GCM.nonceByteCount))
        let size = (0..<4).reversed().map { UInt8(truncatingIfNeeded: recordSize >> (8 * UInt32($0))) }
        return salt + size + [UInt8(P256Key.pointByteCount)] + sender.point + sealed
    }
}
