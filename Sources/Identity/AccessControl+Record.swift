internal import Instrumentation
internal import Runtime
internal import Synchronization
public import WebServer

/// The record of requests, in the ledger and in metrics.
extension AccessControl {
    private static let recordEveryNanoseconds: Int64 = 3_600_000_000_000

    func used(_ principal: Principal) {
        let key = Lockouts.Key(name: principal.name ?? "", address: principal.address)
        let now = SystemClock.monotonicNanoseconds()
        let isNew = state.withLock { state in
            if let last = state.recorded[key], now - last < Self.recordEveryNanoseconds { return false }
            if state.recorded.count >= 10_000 { state.recorded.removeAll() }
            state.recorded[key] = now
            return true
        }
        guard isNew else { return }
        report(.used(principal))
        noticeHour(of: principal)
    }

    /// A request that changes something was answered with `status`.
    public func performed(_ principal: Principal, _ permission: Permission, _ request: HTTPServerRequest, status: Int) {
        if principal.method == .socket, permission == .order, policy.hasIdentities { instruments.socketOrders.add() }
        report(
            .performed(
                principal, permission: permission, method: request.method, path: String(request.path.prefix(200)),
                status: status))
    }

    /// Counts every denial; records those of one address up to a rate, so that the ledger cannot be flooded.
    func denied(
        _ principal: Principal, _ refusal: Refusal, _ permission: Permission, _ request: HTTPServerRequest
    ) {
        instruments.refused(refusal.kind)
        observed(refusal, request, of: principal)
        let key = TokenBuckets.Key(name: "", address: NetworkPrefix.limitKey(principal.address), requests: .change)
        let all = TokenBuckets.Key(name: "all", address: "", requests: .change)
        let now = SystemClock.monotonicNanoseconds()
        let isRecorded = state.withLock { state in
            state.denials.take(key, .init(perMinute: 6, burst: 10), at: now) == nil
                && state.denials.take(all, .init(perMinute: 60, burst: 100), at: now) == nil
        }
        guard isRecorded else { return instruments.unrecorded.add() }
        report(
            .denied(
                principal, refusal, permission: permission, method: request.method,
                path: String(request.path.prefix(200))))
    }
}
