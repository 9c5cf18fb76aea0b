internal import CurlHTTP
internal import JSON
internal import Runtime
internal import Synchronization

/// The keys of one issuer: read from a file, or fetched by OpenID Connect discovery when a token needs them. Any thread
/// may ask; one at a time fetches.
final class IssuerKeys: Sendable {
    /// The metadata of an issuer.
    struct Metadata: Sendable, Equatable {
        var keys = ""
        var authorization = ""
        var token = ""
    }

    private struct State {
        var keys = KeySet()
        var metadata = Metadata()
        /// When the keys were fetched, on the monotonic clock; `nil` for never.
        var fetched: Int64?
        /// When a fetch was last tried.
        var tried: Int64?
    }

    let issuer: TokenIssuer
    private let state = Mutex(State())
    private let fetching = Mutex(())
    let client = HTTPClient()

    /// Keys are fetched again after this time, …
    private static let freshNanoseconds: Int64 = 600_000_000_000
    /// … are believed so long while the issuer does not answer, …
    private static let staleNanoseconds: Int64 = 24 * 3_600_000_000_000
    /// … and are not asked for more often than this, so that made-up key ids cost the issuer nothing.
    private static let pauseNanoseconds: Int64 = 10_000_000_000

    init(_ issuer: TokenIssuer) {
        self.issuer = issuer
    }

    /// Whether `token` has a right signature. May fetch keys, for at most some seconds.
    ///
    /// - Parameter now: the time on the monotonic clock, in nanoseconds.
    func verifies(_ token: JSONWebToken, at now: Int64 = SystemClock.monotonicNanoseconds()) -> Bool {
        let state = state.withLock { $0 }
        if let fetched = state.fetched, now - fetched < Self.freshNanoseconds, let answer = state.keys.verifies(token) {
            return answer
        }
        fetch(since: state.tried, at: now)
        // The age counts whatever became of the attempt, also where it was too soon for one.
        let known = self.state.withLock { $0 }
        guard let fetched = known.fetched, now - fetched < Self.staleNanoseconds else { return false }
        return known.keys.verifies(token) ?? false
    }

    /// The issuer's addresses; `nil` where it does not answer.
    func metadata() -> Metadata? {
        let state = state.withLock { $0 }
        if !state.metadata.token.isEmpty { return state.metadata }
        fetch(since: state.tried, at: SystemClock.monotonicNanoseconds())
        let new = self.state.withLock { $0.metadata }
        return new.token.isEmpty ? nil : new
    }

    /// Fetches the keys, unless another thread did so since `tried`, or the last attempt was right before.
    private func fetch(since tried: Int64?, at now: Int64) {
        fetching.withLock { _ in
            let last = state.withLock { $0.tried }
            guard last == tried, last.map({ now - $0 >= Self.pauseNanoseconds }) ?? true else { return }
            state.withLock { $0.tried = now }
            guard let (keys, metadata) = load() else { return }
            state.withLock { state in
                state.keys = keys
                state.metadata = metadata
                state.fetched = now
            }
        }
    }

    private func load() -> (KeySet, Metadata)? {
        if let path = issuer.keyFile {
            guard case .some(let bytes) = try? FileText.bytes(path, limit: 1 << 20) else { return nil }  // as if away
            return KeySet(parsing: bytes).map { ($0, Metadata()) }
        }
        guard let document = get(issuer.issuer + "/.well-known/openid-configuration"),
            case .some(let json) = try? JSON(parsing: document),  // an answer that is no JSON says nothing
            json["issuer"]?.text == issuer.issuer, let address = json["jwks_uri"]?.text, isAllowed(address),
            let bytes = get(address), let keys = KeySet(parsing: bytes)
        else { return nil }
        let metadata = Metadata(
            keys: address, authorization: json["authorization_endpoint"]?.text ?? "",
            token: json["token_endpoint"]?.text ?? "")
        return (keys, metadata)
    }

    /// Keys that came over a plain connection could be anybody's.
    private func isAllowed(_ address: String) -> Bool {
        address.hasPrefix("https://") || address.hasPrefix("http://") && issuer.issuer.hasPrefix("http://")
    }

    private func get(_ address: String) -> [UInt8]? {
        // An issuer that does not answer is asked again later.
        guard case .some(let response) = try? client.send(request(address)), response.status == 200 else {
            return nil
        }
        return response.body
    }

    /// A request to the issuer.
    func request(_ address: String) -> HTTPRequest {
        var request = HTTPRequest(url: address, timeoutMilliseconds: 5000)
        request.maximumBodyBytes = 1 << 20
        if let path = issuer.authorityFile { request.tls.authorities = .file(path) }
        return request
    }
}
