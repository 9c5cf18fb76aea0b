public import CurlHTTP
internal import Runtime
internal import Synchronization

/// Signs requests to one service of AWS with the keys of `sigv4`, which it keeps for some minutes. May be shared
/// between threads.
public final class AWSSigner: Sendable {
    private struct Held {
        var keys: AWSCredentials.Keys
        /// In nanoseconds of the monotonic clock.
        var until: Int64
    }

    /// Shorter than the hour for which the keys of a role are valid.
    private static let holdingNanoseconds: Int64 = 10 * 60 * 1_000_000_000
    private let credentials: AWSCredentials
    private let service: String
    private let held = Mutex<Held?>(nil)

    /// - Parameter service: the name of the service in signatures, such as `aps`.
    public init(_ credentials: AWSCredentials, service: String) {
        self.credentials = credentials
        self.service = service
    }

    /// Adds the header fields of the signature. The URL must have no query.
    ///
    /// - Parameter send: sends a request for the keys of a role and waits for the response, with any status.
    public func sign(
        _ request: inout HTTPRequest, send: (HTTPRequest) throws(HTTPFailure) -> HTTPResponse
    ) throws(HTTPFailure) {
        guard let region = credentials.effectiveRegion else {
            throw HTTPFailure(.other, "region not configured in sigv4.region or in the environment")
        }
        let now = SystemClock.monotonicNanoseconds()
        let keys: AWSCredentials.Keys
        if let known = held.withLock({ $0 }), now < known.until {
            keys = known.keys
        } else {
            keys = try credentials.keys(region, send: send)
            held.withLock { $0 = Held(keys: keys, until: now + Self.holdingNanoseconds) }
        }
        AWSSignature(keys: keys, region: region, service: service).sign(&request)
    }
}
