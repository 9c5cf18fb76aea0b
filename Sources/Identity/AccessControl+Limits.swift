internal import Instrumentation
internal import Runtime
internal import Synchronization
internal import WebServer

/// Lockouts, rates and permissions: what a sender may do, and how often.
extension AccessControl {
    /// The key of lockouts of a name at an address; of a name that is too long for a user, the beginning.
    static func lockoutKey(_ name: String, _ address: String) -> Lockouts.Key {
        Lockouts.Key(name: String(name.prefix(200)), address: NetworkPrefix.limitKey(address))
    }

    func checkLockout(_ key: Lockouts.Key) throws(Refusal) {
        let now = SystemClock.monotonicNanoseconds()
        guard let remaining = state.withLock({ $0.lockouts.remaining(key, at: now) }) else { return }
        throw Refusal(
            .lockedOut, "too many failed logins; this address may try again later",
            retryAfterSeconds: Int(remaining / 1_000_000_000) + 1)
    }

    /// The credentials of `request` are wrong. Tokens cannot be guessed, so only names are locked out.
    func failed(_ request: HTTPServerRequest, _ source: RequestSource, _ policy: AccessPolicy) {
        guard let (user, _) = request.basicCredentials else { return }
        failed(user, source.address, policy)
    }

    func failed(_ user: String, _ address: String, _ policy: AccessPolicy) {
        let key = Self.lockoutKey(user, address)
        let now = SystemClock.monotonicNanoseconds()
        guard state.withLock({ $0.lockouts.failed(key, policy.lockout, at: now) }) else { return }
        instruments.lockouts.add()
        report(.lockedOut(name: key.name, address: address, failures: policy.lockout.failures))
    }

    /// A password was right: wrong ones before it no longer count.
    func succeeded(_ user: String, _ address: String) {
        state.withLock { $0.lockouts.succeeded(Self.lockoutKey(user, address)) }
    }

    func checkRate(
        _ principal: Principal, _ permission: Permission, _ policy: AccessPolicy
    ) throws(Refusal) {
        guard !principal.isThisMachine, let requests = RequestClass(permission), let rate = policy.limits[requests]
        else { return }
        let key = TokenBuckets.Key(
            name: principal.name ?? "", address: NetworkPrefix.limitKey(principal.address), requests: requests)
        let now = SystemClock.monotonicNanoseconds()
        guard let wait = state.withLock({ $0.buckets.take(key, rate, at: now) }) else { return }
        throw Refusal(
            .tooManyRequests, "more than \(rate.perMinute) requests a minute",
            retryAfterSeconds: Int(wait / 1_000_000_000) + 1)
    }

    func authorize(_ principal: Principal, _ permission: Permission) throws(Refusal) {
        if principal.permissions.contains(permission) { return }
        guard principal.name != nil else {
            throw Refusal(
                .credentialsMissing,
                "this request needs credentials, such as the header \"Authorization: Bearer TOKEN\" "
                    + "(permission \"\(permission.rawValue)\")")
        }
        throw Refusal(.forbidden, "\(principal.displayName) has no permission \"\(permission.rawValue)\"")
    }
}
