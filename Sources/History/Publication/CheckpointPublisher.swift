internal import CurlHTTP
internal import Durable
internal import Glibc
internal import Instrumentation
public import MetricModel
internal import Runtime
internal import Synchronization

/// The destinations of checkpoints, so that a rewritten record is detected by the holder of one of them.
public struct CheckpointPublication: Sendable {
    /// How often the newest checkpoint is published, if there is a new one.
    public var interval = Milliseconds.hours(1)
    /// A file that notes are appended to.
    public var file: String?
    /// A program with its arguments that reads the note from standard input.
    public var command: [String] = []
    /// The address of an RFC 3161 time-stamping authority.
    public var timestampURL: String?

    /// No destinations.
    public init() {}

    /// Whether there are no destinations.
    public var isEmpty: Bool { file == nil && command.isEmpty && timestampURL == nil }
}

/// The thread that publishes checkpoints. A failed destination is retried with the next checkpoint and delays no other.
final class CheckpointPublisher: Sendable {
    private let publication: CheckpointPublication
    private let memory: NodeMemory
    private let logger: Logger
    private let published: Counter
    private let failures: Counter
    private let ending = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    /// The timeout of the command.
    private static let commandMilliseconds: Int64 = 60_000

    init(
        _ publication: CheckpointPublication, memory: NodeMemory, logger: Logger, registry: Registry
    ) throws(WorkerThread.StartError) {
        self.publication = publication
        self.memory = memory
        self.logger = logger
        published = registry.counter(
            "tribune_history_published_checkpoints_total", "Checkpoints written to a file, a command or an authority.")
        failures = registry.counter(
            "tribune_history_publication_failures_total", "Checkpoints that a file, a command or an authority refused.")
        if publication.isEmpty { return }
        let worker = try WorkerThread("history-publish") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    func stop() {
        ending.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var size: Int64 = 0
        while true {
            let next = SystemClock.monotonicNanoseconds() + publication.interval.rawValue * 1_000_000
            if let largest = memory.largest, largest.checkpoint.size > size {
                size = largest.checkpoint.size
                publish(largest.note, size: size)
            }
            if case .closed = ending.receive(deadline: next) { return }
        }
    }

    /// Publishes `note` everywhere.
    func publish(_ note: String, size: Int64) {
        if let file = publication.file {
            attempt(file) { () throws(HistoryError) in try append(note, to: file) }
        }
        if let program = publication.command.first {
            attempt(program) { () throws(HistoryError) in try hand(note) }
        }
        if let url = publication.timestampURL {
            attempt(url) { () throws(HistoryError) in try stamp(note, size: size, url) }
        }
    }

    private func attempt(_ sink: String, _ body: () throws(HistoryError) -> Void) {
        do throws(HistoryError) {
            try body()
            published.add()
        } catch {
            failures.add()
            logger.warn("checkpoint not published", ["sink": sink, "error": error.message])
        }
    }

    private func append(_ note: String, to path: String) throws(HistoryError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file("open", path) }
        defer { close(descriptor) }
        var text = note + "\n"
        let isWritten = text.withUTF8 { unsafe write(descriptor, $0.baseAddress, $0.count) == $0.count }
        guard isWritten, fsync(descriptor) == 0 else { throw .file("write", path) }
    }

    private func hand(_ note: String) throws(HistoryError) {
        let input = memory.directory + "/checkpoint.published"
        try HistoryFile.write(note, to: input)
        let process: ChildProcess
        do throws(ChildProcess.StartError) {
            process = try ChildProcess(publication.command, input: input)
        } catch {
            throw HistoryError(.file, error.description)
        }
        guard let exit = process.wait(milliseconds: Self.commandMilliseconds) else {
            process.stop(graceMilliseconds: 1000)
            throw HistoryError(.unreachable, "the command did not end within \(Self.commandMilliseconds / 1000) s")
        }
        guard exit == .code(0) else { throw HistoryError(.refused, "the command ended with \(exit)") }
    }

    /// Requests a time stamp for `note`, and stores both in `timestamps/`, unless a process before this one has.
    private func stamp(_ note: String, size: Int64, _ url: String) throws(HistoryError) {
        let directory = memory.directory + "/timestamps"
        let (noteFile, stampFile) = ("\(directory)/\(size).note", "\(directory)/\(size).tsr")
        if FileText.read(noteFile) == note, Paths.exists(stampFile) { return }
        let query = try TimestampRequest(for: Array(note.utf8))
        var request = HTTPRequest(url: url)
        request.method = "POST"
        request.headers = [("Content-Type", TimestampRequest.contentType)]
        request.body = query.encoded
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try HTTPClient().send(request)
        } catch {
            throw HistoryError(.unreachable, error.message)
        }
        guard response.status == 200 else { throw HistoryError(.refused, "the authority returned \(response.status)") }
        if let problem = query.problem(with: response.body) { throw HistoryError(.malformed, problem) }
        guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw .file("create the directory", directory)
        }
        try HistoryFile.write(note, to: noteFile)
        do throws(DurableError) { try DurableFile.replace(stampFile, by: response.body) } catch {
            throw HistoryError(.file, error.description)
        }
    }
}
