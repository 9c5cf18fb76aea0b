public import CurlHTTP
internal import JSON
internal import Runtime
internal import Synchronization

/// Settings for OAuth 2 access tokens: the client credentials grant (RFC 6749, section 4.4). A value.
public struct OAuth2Settings: Hashable, Sendable {
    /// The client's id.
    public var clientID: String
    /// The client's secret.
    public var clientSecret: HTTPSettings.Secret
    /// The URL of the token endpoint.
    public var tokenURL: String
    /// The requested scopes.
    public var scopes: [String]
    /// More parameters of the request, sorted by name.
    public var parameters: [Parameter]
    /// Certificates and versions for the token endpoint.
    public var tls: TLSOptions
    /// The proxy to the token endpoint.
    public var proxy: ProxySettings

    /// A parameter of the token request.
    public struct Parameter: Hashable, Sendable {
        /// The parameter's name.
        public var name: String
        /// The parameter's value.
        public var value: String
    }
}

/// Access tokens, by their settings. May be shared between threads.
///
/// A token is kept until shortly before it expires. Equal settings share one token.
final class OAuth2Tokens: Sendable {
    /// The tokens of this process.
    static let shared = OAuth2Tokens()

    private struct Entry {
        var token: String
        /// In nanoseconds of the monotonic clock.
        var validUntil: Int64
    }

    private struct State {
        var entries: [OAuth2Settings: Entry] = [:]
        /// Settings with a request in progress.
        var fetching: Set<OAuth2Settings> = []
        var failures: [OAuth2Settings: String] = [:]
    }

    private static let capacity = 1000
    /// How long before its expiry a token is renewed.
    private static let marginNanoseconds: Int64 = 10_000_000_000
    private let state = Mutex(State())
    private let client = HTTPClient()

    /// The token for `settings`. If there is none, waits for the token endpoint.
    func token(_ settings: OAuth2Settings) throws(HTTPFailure) -> String {
        if let known = known(settings) { return known }
        return try fetch(settings)
    }

    /// The token for `settings`. If there is none, requests it on another thread and throws.
    func tokenWithoutWaiting(_ settings: OAuth2Settings) throws(HTTPFailure) -> String {
        if let known = known(settings) { return known }
        let (starts, failure) = state.withLock { state in
            (state.fetching.insert(settings).inserted, state.failures[settings])
        }
        // If the queue is full, the next request tries again.
        if starts, !Self.worker.wanted.send(settings) { state.withLock { _ = $0.fetching.remove(settings) } }
        throw HTTPFailure(.other, failure ?? "waiting for an OAuth 2 token from \(settings.tokenURL)")
    }

    /// Fetches tokens for callers that must not wait. Lives as long as the process.
    private static let worker = Worker()

    private final class Worker: Sendable {
        let wanted = Mailbox<OAuth2Settings>(capacity: 1000)
        private let thread = Mutex<WorkerThread?>(nil)

        init() {
            thread.withLock { [wanted] in
                // Without a thread nothing is fetched, and requests keep failing.
                $0 = try? WorkerThread("oauth2") {
                    while case .message(let settings) = wanted.receive() { OAuth2Tokens.shared.renew(settings) }
                }
            }
        }
    }

    private func renew(_ settings: OAuth2Settings) {
        var failure: String?
        do throws(HTTPFailure) { _ = try fetch(settings) } catch { failure = error.message }
        state.withLock { state in
            state.fetching.remove(settings)
            state.failures[settings] = failure
        }
    }

    private func known(_ settings: OAuth2Settings) -> String? {
        state.withLock { state in
            guard let entry = state.entries[settings], entry.validUntil > SystemClock.monotonicNanoseconds() else {
                return nil
            }
            return entry.token
        }
    }

    private func fetch(_ settings: OAuth2Settings) throws(HTTPFailure) -> String {
        // RFC 6749 requires servers to support the Authorization header. Some support only parameters in the body.
        var response = try request(settings, secretInBody: false)
        if response.status == 400 || response.status == 401 { response = try request(settings, secretInBody: true) }
        let body = String(decoding: response.body, as: UTF8.self)
        guard (200..<300).contains(response.status) else {
            throw HTTPFailure(
                .other, "the OAuth 2 token endpoint returned status \(response.status): \(body.prefix(200))")
        }
        guard let json = try? JSON(parsing: body), let token = json["access_token"]?.text, !token.isEmpty else {
            throw HTTPFailure(.other, "the response of the OAuth 2 token endpoint has no access_token")
        }
        // A token without a lifetime is renewed after an hour.
        let seconds = json["expires_in"]?.number ?? 3600
        let lifetime = Int64(max(0, min(seconds, 1e9)) * 1e9)
        let now = SystemClock.monotonicNanoseconds()
        state.withLock { state in
            if state.entries.count >= Self.capacity {
                state.entries = state.entries.filter { $0.value.validUntil > now }
                if state.entries.count >= Self.capacity { state.entries = [:] }
            }
            state.entries[settings] = Entry(
                token: token, validUntil: now + max(lifetime - Self.marginNanoseconds, lifetime / 2))
        }
        return token
    }

    private func request(_ settings: OAuth2Settings, secretInBody: Bool) throws(HTTPFailure) -> HTTPResponse {
        var request = HTTPRequest(
            method: "POST", url: settings.tokenURL,
            headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            timeoutMilliseconds: 10_000)
        var pairs = [("grant_type", "client_credentials")]
        if !settings.scopes.isEmpty { pairs.append(("scope", settings.scopes.joined(separator: " "))) }
        pairs += settings.parameters.map { ($0.name, $0.value) }
        let secret = try settings.clientSecret.read()
        if secretInBody {
            pairs += [("client_id", settings.clientID), ("client_secret", secret)]
        } else {
            request.authorize(user: FormText.escaped(settings.clientID), password: FormText.escaped(secret))
        }
        request.body = Array(FormText.encoded(pairs).utf8)
        request.maximumBodyBytes = 1 << 20
        request.tls = settings.tls
        settings.proxy.apply(to: &request)
        return try client.send(request)
    }
}
