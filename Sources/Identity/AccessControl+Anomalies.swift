internal import Instrumentation
internal import Runtime
internal import Synchronization
public import WebServer

/// Clients that behave like attackers.
extension AccessControl {
    /// Throws where the client is blocked. This machine, certificates and the configured addresses never are.
    func checkBlock(_ principal: Principal, _ policy: AccessPolicy) throws(Refusal) {
        guard Self.isBlockable(principal, policy) else { return }
        let now = SystemClock.monotonicNanoseconds()
        guard let remaining = state.withLock({ $0.anomalies.remaining(Self.key(principal), at: now) }) else { return }
        throw Refusal(
            .blocked, "this client is blocked, because it behaves like an attacker",
            retryAfterSeconds: Int(remaining / 1_000_000_000) + 1)
    }

    /// Something went wrong for a client.
    ///
    /// - Parameter detail: What is new or repeated: the path, or the secret. Only a hash of it is kept.
    func observed(_ evidence: AnomalyScores.Evidence, _ detail: String, of principal: Principal) {
        let policy = policy
        guard Self.isBlockable(principal, policy) else { return }
        let now = SystemClock.monotonicNanoseconds()
        let key = Self.key(principal)
        let score = state.withLock { $0.anomalies.observed(evidence, detail, of: key, policy.anomaly, at: now) }
        guard let score else { return }
        instruments.blocks.add()
        report(.blocked(name: key.name, address: principal.address, score: score))
    }

    /// A request was refused: how much that counts depends on why.
    func observed(_ refusal: Refusal, _ request: HTTPServerRequest, of principal: Principal) {
        let place = "\(request.method) \(request.path)"
        switch refusal.kind {
        case .credentialsWrong, .lockedOut:
            observed(.failedLogin, request[header: "Authorization"] ?? "", of: principal)
        case .forbidden, .foreignPage, .foreignHost: observed(.denied, place, of: principal)
        // A page whose session has ended asks for everything it shows.
        case .credentialsMissing: observed(.clientError, place, of: principal)
        case .tooManyRequests: observed(.tooManyRequests, "", of: principal)
        case .blocked: break
        }
    }

    /// An identity is active, for the first time in this hour.
    func noticeHour(of principal: Principal) {
        guard let name = principal.name else { return }
        let seconds = SystemClock.wallMilliseconds() / 1000
        guard state.withLock({ $0.usualHours.used(name, at: seconds) }) else { return }
        observed(.unusualHour, "\(seconds / 3600)", of: principal)
    }

    /// A client asked for a path that does not exist.
    public func askedForUnknown(_ request: HTTPServerRequest) {
        observed(.unknownRoute, request.path, of: nobody(request))
    }

    /// A client got an error of its own making from a handler.
    public func failed(_ request: HTTPServerRequest, _ principal: Principal, status: Int) {
        let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        observed(.clientError, "\(status) \(request.path)?\(query)", of: principal)
    }

    /// Forgets what is known against the clients at `address`. False where none was blocked.
    public func pardon(address: String) -> Bool {
        let now = SystemClock.monotonicNanoseconds()
        return state.withLock { $0.anomalies.pardon(address: NetworkPrefix.limitKey(address), at: now) }
    }

    private static func key(_ principal: Principal) -> Lockouts.Key {
        Lockouts.Key(name: principal.name ?? "", address: NetworkPrefix.limitKey(principal.address))
    }

    private static func isBlockable(_ principal: Principal, _ policy: AccessPolicy) -> Bool {
        guard !principal.isThisMachine, principal.method != .certificate, principal.method != .socket else {
            return false
        }
        return !policy.neverBlocked.contains { $0.contains(principal.address) }
    }
}
