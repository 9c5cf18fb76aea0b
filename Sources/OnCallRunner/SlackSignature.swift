internal import MetricModel
internal import OnCall
internal import Runtime
internal import Synchronization
internal import TLS

/// Checks that requests come from Slack, each once: Slack's signature `v0` over time and body. May be used from any
/// thread.
final class SlackSignature: Sendable {
    /// How far the time of a request may be from now.
    static let window = Milliseconds.minutes(5)
    /// The most requests that are remembered. Within the window more would be an attack by somebody with the secret.
    private static let capacity = 10_000

    /// The signatures that were taken, with their ends.
    private let taken = Mutex<[String: Timestamp]>([:])

    /// Checks a request. Returns why it is refused, or `nil`.
    func refusal(
        body: [UInt8], timestamp: String, signature: String, secret: String, at now: Timestamp
    ) -> ChatRefusal? {
        guard let seconds = Int64(timestamp), seconds >= 0, seconds < 1 << 40 else { return .forged }
        let sent = Timestamp(milliseconds: seconds * 1000)
        guard ConstantTime.equal(Array(signature.utf8), Array(Self.text(body, timestamp, secret).utf8)) else {
            return .forged
        }
        guard abs((now - sent).rawValue) <= Self.window.rawValue else { return .late }
        return taken.withLock { taken in
            if taken.count >= Self.capacity { taken = taken.filter { $0.value >= now } }
            guard taken.count < Self.capacity else { return .late }
            // Its time is in the window for twice as long at most.
            guard taken.updateValue(sent + Self.window * 2, forKey: signature) == nil else { return .replayed }
            return nil
        }
    }

    /// The signature that Slack makes.
    static func text(_ body: [UInt8], _ timestamp: String, _ secret: String) -> String {
        let content = Array("v0:\(timestamp):".utf8) + body
        return "v0=" + Hexadecimal.text(HMACSHA256.code(for: content, key: Array(secret.utf8)))
    }
}

/// Why a button of a chat did nothing.
public enum ChatRefusal: Error, Equatable, Sendable {
    /// `oncall.yml` does not configure the service.
    case unconfigured
    /// It does not come from the service, or the button was not made by this one.
    case forged
    /// The request is too old, or the button is.
    case late
    /// The request came before.
    case replayed
    /// No person of `oncall.yml` has this id at the service.
    case stranger(String)
}
