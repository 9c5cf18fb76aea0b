internal import Durable
internal import Instrumentation
internal import Rollback
internal import Runtime

/// The journal of a plan at the start of a process, with what it says.
struct OpenedJournal {
    var journal: Journal
    /// The last record; `nil` if there is none that can be used.
    var record: JournalRecord?
    /// Why the last record cannot be used.
    var loss: RecordLoss?

    /// Opens the journal of `plan` in `directory`.
    ///
    /// A damaged file is renamed and kept for a person, and an empty one begins; it counts as a loss at every start
    /// until the new one has a record. A file whose last record is of an unknown version is copied, and goes on.
    init(
        of plan: String, in directory: String, device: RecordLog.Device, logger: Logger
    ) throws(JournalError) {
        let path = "\(directory)/\(plan).journal"
        do throws(JournalError) {
            journal = try Journal(path: path, device: device)
        } catch {
            guard error.code == .damaged else { throw error }
            logger.error("journal damaged, promotion waits for a person", ["error": error])
            journal = try Journal(path: path, device: device)
            let bytes = error.aside.flatMap { Self.bytes($0) } ?? []
            loss = RecordLoss(
                reason: error.description, salvaged: Self.lastKnown([RecordScan.lastRecord(in: bytes)?.payload]))
            return
        }
        if journal.truncatedBytes > 0 {
            logger.warn("incomplete record cut off the journal", ["bytes": journal.truncatedBytes])
        }
        guard let last = journal.recovered.last else {
            loss = Self.earlierLoss(path)
            return
        }
        record = JournalRecord(payload: last)
        guard record == nil else { return }
        let earlier = Self.lastKnown(journal.recovered)
        let copy = "\(path).unknown-\(journal.recovered.count)"
        var place = "kept as \(copy)"
        do throws(DurableError) {
            try DurableFile.replace(copy, by: Self.bytes(path) ?? [])
        } catch {
            place = "not copied: \(error)"
        }
        loss = RecordLoss(reason: "\(path): the last record has an unknown version; \(place)", salvaged: earlier)
        logger.error("journal of an unknown version, promotion waits for a person", ["file": path])
    }

    /// The last record of this version among `payloads`.
    private static func lastKnown(_ payloads: [[UInt8]?]) -> JournalRecord? {
        payloads.lazy.reversed().compactMap { $0.flatMap(JournalRecord.init(payload:)) }.first
    }

    // The reason does not matter: without its bytes nothing is salvaged.
    private static func bytes(_ path: String) -> [UInt8]? { try? FileText.bytes(path) }

    /// A file that an earlier start has put aside, without a record since.
    private static func earlierLoss(_ path: String) -> RecordLoss? {
        guard let last = Paths.existing("\(path).damaged-*").last else { return nil }
        let record = bytes(last).flatMap { RecordScan.lastRecord(in: $0)?.payload }
        return RecordLoss(
            reason: "\(last) was put aside, and nothing was recorded since", salvaged: lastKnown([record]))
    }
}
