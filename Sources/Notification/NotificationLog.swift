internal import Durable
internal import Glibc
public import Instrumentation
internal import JSON
public import Runtime
internal import Synchronization

/// The file with the notifications that were sent, so that a restart neither repeats nor loses one.
///
/// Every line is the CRC-32C of a change as eight hexadecimal digits, a blank, and the change as JSON. An incomplete
/// line ends the file. When the file is twice the size of its content it is rewritten. Used by one thread.
public final class NotificationLog {
    /// The file is not rewritten below this size.
    private static let smallest = 1 << 20

    private let path: String
    private let logger: Logger
    private let failures: Counter
    private var descriptor: Int32 = -1
    private var bytes = 0
    /// The size of the newest line of each group that has an entry.
    private var sizes: [NotificationLogEntry.Change.Place: Int] = [:]
    private var needed = 0
    private var hasFailed = false

    /// A log at `path`, which need not exist.
    public init(path: String, logger: Logger, registry: Registry) {
        self.path = path
        self.logger = logger.with("component", "notification")
        failures = registry.counter(
            "tribune_notification_log_failures_total", "Times the notification log could not be written.")
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The entries in the file. The last change of a group is used.
    public func read() -> [NotificationLogEntry] {
        guard Paths.exists(path) else { return [] }
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 1 << 30)
        } catch {
            logger.error("cannot read notification log", ["error": error.description])
            return []
        }
        var entries: [NotificationLogEntry.Change.Place: NotificationLogEntry] = [:]
        var order: [NotificationLogEntry.Change.Place] = []
        var damaged = 0
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let change = Self.change(line) else {
                damaged += 1
                continue
            }
            if entries[change.place] == nil { order.append(change.place) }
            entries[change.place] = change.entry
        }
        if damaged > 0 { logger.warn("damaged lines in notification log skipped", ["lines": damaged]) }
        return order.compactMap { entries[$0] }
    }

    /// Rewrites the file with `entries`.
    public func rewrite(_ entries: [NotificationLogEntry]) {
        let (text, sizes) = Self.lines(
            entries.map { NotificationLogEntry.Change(route: $0.route, labels: $0.labels, entry: $0) })
        do throws(DurableError) {
            try DurableFile.replace(path, by: text)
        } catch {
            return failed(error.description)
        }
        if descriptor >= 0 { close(descriptor) }
        descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { return failed(SystemError.current) }
        (bytes, needed, hasFailed) = (text.count, text.count, false)
        self.sizes = Dictionary(sizes, uniquingKeysWith: { $1 })
    }

    /// Appends `changes` and waits until they are on disk. `all` is called if the file must be rewritten.
    public func append(_ changes: [NotificationLogEntry.Change], all: () -> [NotificationLogEntry]) {
        guard !changes.isEmpty else { return }
        if descriptor < 0 || hasFailed || bytes > max(Self.smallest, 2 * needed) { return rewrite(all()) }
        let (text, sizes) = Self.lines(changes)
        var sent = 0
        while sent < text.count {
            let count = unsafe text.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: sent), text.count - sent)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return failed(SystemError.current) }
            sent += count
        }
        guard fdatasync(descriptor) == 0 else { return failed(SystemError.current) }
        bytes += text.count
        for (change, (place, size)) in zip(changes, sizes) {
            needed -= self.sizes[place] ?? 0
            self.sizes[place] = change.entry == nil ? nil : size
            if change.entry != nil { needed += size }
        }
    }

    private func failed(_ reason: String) {
        failures.add()
        if !hasFailed { logger.error("cannot write notification log", ["path": path, "error": reason]) }
        hasFailed = true
    }

    /// The lines of `changes`, and the size of each.
    private static func lines(
        _ changes: [NotificationLogEntry.Change]
    ) -> (text: [UInt8], sizes: [(NotificationLogEntry.Change.Place, Int)]) {
        var text: [UInt8] = []
        let sizes = changes.map { change in
            let start = text.count
            append(change, to: &text)
            return (change.place, text.count - start)
        }
        return (text, sizes)
    }

    /// Appends the line of `change` to `text`: the CRC-32C in eight hexadecimal digits, and the JSON.
    private static func append(_ change: NotificationLogEntry.Change, to text: inout [UInt8]) {
        var json = JSONWriter(reserving: 2048)
        json.write(change.json)
        let digits = String(CRC32C.checksum(json.bytes), radix: 16)
        text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 8 - digits.utf8.count))
        text.append(contentsOf: digits.utf8)
        text.append(UInt8(ascii: " "))
        text.append(contentsOf: json.bytes)
        text.append(UInt8(ascii: "\n"))
    }

    private static func change(_ line: some Collection<UInt8>) -> NotificationLogEntry.Change? {
        let bytes = Array(line)
        guard bytes.count > 9, bytes[8] == 0x20,
            let checksum = UInt32(String(decoding: bytes[..<8], as: UTF8.self), radix: 16),
            CRC32C.checksum(Array(bytes[9...])) == checksum,
            let json = try? JSON(parsing: String(decoding: bytes[9...], as: UTF8.self))
        else { return nil }
        return NotificationLogEntry.Change(json)
    }
}
