internal import JSON

extension LedgerAudit {
    /// Entries whose actor is called `name`, newest first: proved so, or only claimed where `includesClaims`. Reads
    /// every entry of the period.
    ///
    /// - Parameter limit: The most entries that are returned.
    public func entries(
        by name: String, includesClaims: Bool, from: Int64? = nil, through: Int64? = nil, limit: Int = 10_000
    ) throws(HistoryError) -> [LedgerEntry] {
        let ledger = try openLedger()
        var found: [LedgerEntry] = []
        var before: Int64?
        while found.count < limit {
            let rows = try ledger.rows(
                LedgerQuery(from: from, through: through, before: before, limit: Self.identityPage))
            found += try ledger.entries(of: rows).filter { entry in
                entry.actor?["identity"]?.text == name || includesClaims && entry.actor?["claimed"]?.text == name
            }
            guard rows.count == Self.identityPage, let last = rows.last else { break }
            before = last.sequence
        }
        return Array(found.prefix(limit))
    }

    private static let identityPage = 1000
}
