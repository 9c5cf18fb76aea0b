internal import Glibc
internal import Passwords
internal import Runtime
internal import Synchronization
public import TLS
public import WebServer

/// The current web configuration: read again when one of its files has changed, and applied to each request and
/// connection.
///
/// If a file cannot be read or is invalid, the former configuration stays in force, and the error is reported once. May
/// be used from any thread.
public final class WebConfigurationSource: HTTPAuthenticator, Sendable {
    /// One reading of the file and the data derived from it.
    private struct Current {
        var configuration: WebConfiguration
        var tls: TLSServerContext?
        var stamps: [FileStamp]
    }

    private struct State {
        var current: Current
        /// The time of the last check of the files, on the monotonic clock.
        var lookedAt: Int64
        /// The last error, so that it is reported once.
        var reported: String?
    }

    private let path: String
    private let requiresTLS: Bool
    private let state: Mutex<State>
    private let passwords = BcryptPasswords()
    private let limiter: TokenBucket?
    private let onReload: @Sendable (WebConfigurationError?) -> Void

    /// The minimum time between checks of the files.
    private static let periodNanoseconds: Int64 = 500_000_000

    /// Reads the file at `path`.
    ///
    /// - Parameters:
    ///   - requiresTLS: whether a file without TLS is rejected.
    ///   - onReload: called after every change of the files, with the error if the change was rejected.
    public init(
        _ path: String, requiresTLS: Bool = false,
        onReload: @escaping @Sendable (WebConfigurationError?) -> Void = { _ in }
    ) throws(WebConfigurationError) {
        self.path = path
        self.requiresTLS = requiresTLS
        self.onReload = onReload
        let current = try Self.read(path, requiresTLS)
        // As in the toolkit, the limit from the start applies.
        limiter = current.configuration.rateLimit.map { TokenBucket($0) }
        state = Mutex(State(current: current, lookedAt: SystemClock.monotonicNanoseconds(), reported: nil))
    }

    private static func read(_ path: String, _ requiresTLS: Bool) throws(WebConfigurationError) -> Current {
        let configuration = try WebConfiguration.load(path)
        if requiresTLS, configuration.tls == nil {
            throw WebConfigurationError(description: "\(path): --require-tls needs the section tls_server_config")
        }
        let stamps = configuration.files.map { FileStamp($0) }
        // Read again: a file that changes between reading and checking it must count as changed.
        let again = try WebConfiguration.load(path)
        do throws(TLSError) {
            return Current(
                configuration: again, tls: try again.tls.map { (tls) throws(TLSError) in try TLSServerContext(tls) },
                stamps: again == configuration ? stamps : [])
        } catch {
            throw WebConfigurationError(description: "\(path): tls_server_config: \(error.message)")
        }
    }

    /// The current configuration.
    public var configuration: WebConfiguration { current().configuration }

    /// The context for the next TLS connection; `nil` for plain HTTP.
    public var tls: TLSServerContext? { current().tls }

    private func current() -> Current {
        let now = SystemClock.monotonicNanoseconds()
        let (current, isDue) = state.withLock { state in
            let isDue = now - state.lookedAt >= Self.periodNanoseconds
            if isDue { state.lookedAt = now }
            return (state.current, isDue)
        }
        guard isDue, current.stamps != current.configuration.files.map({ FileStamp($0) }) else { return current }
        do throws(WebConfigurationError) {
            let new = try Self.read(path, requiresTLS)
            state.withLock { state in
                state.current = new
                state.reported = nil
            }
            onReload(nil)
            return new
        } catch {
            let isNew = state.withLock { state in
                defer { state.reported = error.description }
                return state.reported != error.description
            }
            if isNew { onReload(error) }
            return current
        }
    }

    // MARK: Requests

    /// The configured headers.
    public var responseHeaders: [(name: String, value: String)] { current().configuration.headers }

    /// The decision, unless a password hash must be computed.
    public func quickDecision(_ request: HTTPServerRequest) -> HTTPDecision? {
        if let limiter, !limiter.take() { return .refuse(.text("Too Many Requests\n", status: 429)) }
        let users = current().configuration.users
        if users.isEmpty { return .admit(identity: nil) }
        guard let (user, password) = request.basicCredentials else { return .refuse(Self.unauthorized) }
        return passwords.remembered(user, password, hash: users[user]).map { decision($0, user) }
    }

    /// The decision. May take as long as computing a password hash.
    public func decide(_ request: HTTPServerRequest) -> HTTPDecision {
        let users = current().configuration.users
        if users.isEmpty { return .admit(identity: nil) }
        guard let (user, password) = request.basicCredentials else { return .refuse(Self.unauthorized) }
        return decision(passwords.isValid(user, password, hash: users[user]), user)
    }

    private func decision(_ isValid: Bool, _ user: String) -> HTTPDecision {
        isValid ? .admit(identity: user) : .refuse(Self.unauthorized)
    }

    private static var unauthorized: HTTPServerResponse {
        var response = HTTPServerResponse.text("Unauthorized\n", status: 401)
        response.headers.append(("WWW-Authenticate", "Basic"))
        return response
    }
}

/// Distinguishes versions of a file.
private struct FileStamp: Equatable, Sendable {
    var inode: UInt = 0
    var size = 0
    var seconds = 0
    var nanoseconds = 0

    init(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return }
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}

/// Allows one request per interval on average, and a burst. May be used from any thread.
final class TokenBucket: Sendable {
    private let interval: Double
    private let burst: Double
    private let state: Mutex<(tokens: Double, at: Int64)>

    init(_ limit: WebConfiguration.RateLimit, now: Int64 = SystemClock.monotonicNanoseconds()) {
        interval = Double(limit.intervalNanoseconds)
        burst = Double(limit.burst)
        state = Mutex((burst, now))
    }

    func take(now: Int64 = SystemClock.monotonicNanoseconds()) -> Bool {
        state.withLock { state in
            state.tokens = min(burst, state.tokens + Double(max(now - state.at, 0)) / interval)
            state.at = now
            guard state.tokens >= 1 else { return false }
            state.tokens -= 1
            return true
        }
    }
}
