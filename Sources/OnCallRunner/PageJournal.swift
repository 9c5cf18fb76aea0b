internal import Durable
internal import MetricModel
internal import OnCall
internal import Runtime

/// The pages on disk: a log of records, each with the pages that a step changed. One thread uses it.
///
/// A disk that cannot be written does not stop anybody from being called: the journal is opened again later, and then
/// has everything.
struct PageJournal: ~Copyable {
    /// How long a file grows before it is replaced by one record with everything.
    private static let compactionLength = 4 << 20
    /// The pause between attempts to open a failed journal again.
    private static let pause = Milliseconds.seconds(10)

    /// Opens a log.
    typealias Opening = @Sendable (_ path: String) throws(DurableError) -> RecordLog

    private let path: String
    private let logger: Logger
    private let open: Opening
    private var log: RecordLog?
    private var retryAt = Timestamp.distantPast

    /// The records found at the start.
    let recovered: [PageBook.Record]
    /// Whether the file was damaged, so that nothing was recovered.
    private(set) var wasDamaged = false
    /// Whether the last write failed.
    private(set) var isFailed = false

    /// Opens or creates the journal at `path`.
    ///
    /// A damaged file is renamed, and an empty journal begins: people are called about what happens from now on.
    ///
    /// - Throws: if another process has it open, or it cannot be read.
    /// - Parameter open: opens the log; tests give it a device that fails.
    init(
        path: String, logger: Logger,
        open: @escaping Opening = { (path) throws(DurableError) in try RecordLog(path: path) }
    ) throws(DurableError) {
        self.path = path
        self.logger = logger
        self.open = open
        var log: RecordLog
        do throws(DurableError) { log = try open(path) } catch {
            guard error.code == .damaged else { throw error }
            logger.error("the journal of pages is damaged; open pages are lost", ["error": error.description])
            wasDamaged = true
            log = try open(path)
        }
        if log.truncatedBytes > 0 {
            logger.warn("incomplete record cut off the journal of pages", ["bytes": log.truncatedBytes])
        }
        recovered = log.recovered.compactMap { PageBook.Record(payload: $0.payload) }
        if recovered.count < log.recovered.count {
            logger.error(
                "records of the journal of pages are of an unknown version and are ignored",
                ["count": log.recovered.count - recovered.count])
        }
        self.log = log
    }

    /// Stores `record`, or everything where that is shorter or the last write failed.
    ///
    /// - Returns: false if it is not on disk.
    mutating func keep(_ record: PageBook.Record, everything: () -> PageBook.Record) -> Bool {
        do throws(DurableError) {
            if isFailed {
                guard record.at >= retryAt || record.at + Self.pause < retryAt else { return false }
                // The file may hold anything after a failed write; opening it again finds what is there.
                log = nil
                let fresh = try open(path)
                try fresh.replaceAll(by: everything().payload)
                log = fresh
                isFailed = false
                logger.info("the journal of pages can be written again")
                return true
            }
            if let log, log.byteCount > Self.compactionLength {
                try log.replaceAll(by: everything().payload)
            } else {
                try log?.append(record.payload)
            }
            return log != nil
        } catch {
            if !isFailed {
                logger.error(
                    "pages not journalled; people are called, and after a restart perhaps again",
                    ["error": error.description])
            }
            isFailed = true
            retryAt = record.at + Self.pause
            return false
        }
    }
}
