internal import MetricModel
internal import Scraper

/// The attempts to send one request: when to try again, and when to give up. A machine without clock or IO.
struct SendAttempts: Equatable {
    /// The result of an attempt.
    enum Result: Equatable {
        /// No response: whether the request arrived is unknown.
        case failed(String)
        /// - Parameters:
        ///   - retryAfter: the field `Retry-After` of the response.
        ///   - isConfirmed: whether the response says what was written, as version 2 demands.
        case answered(status: Int, retryAfter: String?, message: String, isConfirmed: Bool = true)
    }

    enum Action: Equatable {
        case delivered
        /// The receiver refused the request for good.
        case giveUp(String)
        /// The receiver refused it because it has samples that are as new or newer.
        ///
        /// - Parameter mayHaveArrived: whether those may be the samples of this request, from an earlier attempt.
        case old(String, mayHaveArrived: Bool)
        case retry(after: Milliseconds, reason: String)
    }

    private let minimum: Milliseconds
    private let maximum: Milliseconds
    private let retriesWhenLimited: Bool
    private var backoff: Milliseconds
    /// Whether an earlier attempt may have arrived.
    private var mayHaveArrived: Bool

    /// - Parameter mayHaveArrived: whether the request was sent before a restart.
    init(_ queue: RemoteWriteSettings.Queue, mayHaveArrived: Bool = false) {
        self.mayHaveArrived = mayHaveArrived
        minimum = max(queue.minimumBackoff, Milliseconds(rawValue: 1))
        maximum = max(queue.maximumBackoff, minimum)
        retriesWhenLimited = queue.retriesWhenLimited
        backoff = minimum
    }

    /// An attempt ended.
    mutating func ended(_ result: Result) -> Action {
        switch result {
        case .failed(let reason):
            mayHaveArrived = true
            return retry(reason, after: nil)
        case .answered(let status, let retryAfter, let message, let isConfirmed):
            switch status {
            case 200..<300 where isConfirmed: return .delivered
            case 200..<300:
                // A receiver of version 1 may have taken it for an empty request.
                return .giveUp("status \(status) without the number of written samples: it may know only version 1")
            case 500...:
                // The receiver may have stored a part.
                mayHaveArrived = true
                return retry("status \(status): \(message)", after: retryAfter)
            case 429 where retriesWhenLimited: return retry("status \(status): \(message)", after: retryAfter)
            case 400 where Self.reportsOldSamples(message):
                return .old("status \(status): \(message)", mayHaveArrived: mayHaveArrived)
            default: return .giveUp("status \(status): \(message)")
            }
        }
    }

    private static func reportsOldSamples(_ message: String) -> Bool {
        let text = message.lowercased()
        return ["out of order", "out-of-order", "duplicate sample", "too old sample"].contains { text.contains($0) }
    }

    private mutating func retry(_ reason: String, after field: String?) -> Action {
        var pause = backoff
        if let seconds = field.flatMap({ Int64($0) }), seconds >= 0 {
            // A receiver may ask for a longer pause than the maximum, but not for an endless one.
            pause = max(pause, .seconds(min(seconds, 3600)))
        }
        backoff = min(Milliseconds(rawValue: backoff.rawValue * 2), maximum)
        return .retry(after: pause, reason: reason)
    }
}
