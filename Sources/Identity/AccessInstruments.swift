internal import Instrumentation

/// The counters of access control.
struct AccessInstruments: Sendable {
    let lockouts: Counter
    let blocks: Counter
    let unrecorded: Counter
    let socketOrders: Counter
    private let refusals: [Refusal.Kind: Counter]

    init(_ registry: Registry) {
        lockouts = registry.counter(
            "tribune_access_lockouts_total", "Clients locked out after failed logins.")
        blocks = registry.counter(
            "tribune_access_blocks_total", "Clients blocked because they behave like attackers.")
        unrecorded = registry.counter(
            "tribune_access_denials_unrecorded_total",
            "Refused requests that are not in the ledger, because of the limit per address or in total.")
        socketOrders = registry.counter(
            "tribune_access_socket_orders_total",
            "Orders over the local socket while the configuration has identities for people.")
        let kinds: [Refusal.Kind] = [
            .credentialsMissing, .credentialsWrong, .forbidden, .foreignPage, .foreignHost, .tooManyRequests,
            .lockedOut,
            .blocked,
        ]
        refusals = Dictionary(
            uniqueKeysWithValues: kinds.map { kind in
                (
                    kind,
                    registry.counter(
                        "tribune_access_refused_total", "Requests refused by access control, by reason.",
                        labels: ["reason": kind.rawValue])
                )
            })
    }

    func refused(_ kind: Refusal.Kind) { refusals[kind]?.add() }
}
