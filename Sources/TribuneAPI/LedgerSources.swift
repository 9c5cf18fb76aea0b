public import History

/// The data sources of the ledger endpoints. Provided by the composition root.
///
/// Every closure may be called by several threads at once, and blocks until the database responds.
public struct LedgerSources: Sendable {
    private static let none = HistoryError(.unreachable, "there is no history")

    /// A page of events, newest first.
    public var events: @Sendable (LedgerQuery, EventCursor?) throws(HistoryError) -> EventPage = { _, _ in
        EventPage(source: .database, entries: [])
    }
    /// The newest checkpoint, a signed note.
    public var checkpoint: @Sendable () throws(HistoryError) -> String = { () throws(HistoryError) in throw none }
    /// The proof that an entry is in the record of the newest checkpoint.
    public var proof: @Sendable (_ entry: Int64) throws(HistoryError) -> LedgerProof = {
        (_) throws(HistoryError) in throw none
    }
    /// The proof that the record of a size, or of the newest checkpoint, continues a smaller one.
    public var consistency: @Sendable (_ old: Int64, _ size: Int64?) throws(HistoryError) -> ConsistencyProof = {
        (_, _) throws(HistoryError) in throw none
    }
    /// The hashes of a tile, one after the other.
    public var tile: @Sendable (_ level: Int, _ index: Int64) throws(HistoryError) -> [UInt8] = {
        (_, _) throws(HistoryError) in throw none
    }
    /// The latest measurements of a service, and whether they come from the cache.
    public var latest: @Sendable (_ service: String) throws(HistoryError) -> (metrics: ServiceMetrics, isCached: Bool) =
        {
            (_) throws(HistoryError) in throw none
        }
    /// The days of services between two instants in milliseconds since the epoch.
    public var days:
        @Sendable (_ from: Int64, _ through: Int64, _ service: String?) throws(HistoryError) -> [ServiceDay] =
            {
                (_, _, _) throws(HistoryError) in throw none
            }
    /// An evidence pack as a ZIP archive, whose files are in a folder of that name.
    public var pack: @Sendable (_ scope: EvidenceScope, _ name: String) throws(HistoryError) -> [UInt8] = {
        (_, _) throws(HistoryError) in throw none
    }
    /// The state of the history; `nil` if there is none. Does not block.
    public var status: @Sendable () -> HistoryStatus? = { nil }

    /// Sources without a ledger.
    public init() {}
}
