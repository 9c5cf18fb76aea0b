internal import Exposition
internal import Glibc
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Synchronization

/// Reads a dump, writes its samples into a store and compacts them, each on a thread of its own. Used by one thread.
final class DumpImport {
    /// Samples that are written at once.
    private static let batch = 4_000_000
    private static let pieceBytes = 1 << 20

    /// A batch on its way to the writer.
    private struct Batch: Sendable {
        var samples: ImportedSamples
        var newSeries: [Labels]
    }

    /// Messages between the threads.
    private final class Progress: Sendable {
        /// Whether everything is written.
        let isDone = Atomic(false)
        let result = Mutex<(figures: SampleImport.Figures, failure: StoreError?)>((.init(), nil))
    }

    private let store: MetricStore
    private let keepsNaN: Bool
    private let maximumSeries: Int
    /// Empty batches, so that there are never more than two.
    private let free = Mailbox<ImportedSamples>(capacity: 2)
    private let full = Mailbox<Batch>(capacity: 2)
    private let progress = Progress()
    private(set) var dump: OpenMetricsDump

    init(into store: MetricStore, keepsNaN: Bool, maximumSeries: Int) {
        self.store = store
        self.keepsNaN = keepsNaN
        self.maximumSeries = maximumSeries
        dump = OpenMetricsDump(maximumSeries: maximumSeries)
    }

    /// Reads the dump in the file and checks every line. Nothing is stored.
    static func check(_ file: DumpFile, maximumSeries: Int) throws(CommandFailure) {
        var dump = OpenMetricsDump(maximumSeries: maximumSeries)
        try file.forEachPiece(of: pieceBytes) { (bytes) throws(CommandFailure) in
            do throws(ExpositionError) { try dump.read(bytes) { _, _, _ in } } catch {
                throw CommandFailure("\(file.name): \(error)")
            }
            return true
        }
        do throws(ExpositionError) { try dump.finish() } catch { throw CommandFailure("\(file.name): \(error)") }
    }

    /// Stores the samples in the file.
    ///
    /// - Returns: what was stored.
    /// - Throws: after the samples before a faulty line were stored.
    func run(_ file: DumpFile) throws(CommandFailure) -> SampleImport.Figures {
        for _ in 0..<2 { free.send(ImportedSamples(reserving: Self.batch)) }
        let threads = try startThreads()
        var failure: CommandFailure?
        do throws(CommandFailure) { try read(file) } catch { failure = error }
        full.close()
        threads.writer.join()
        progress.isDone.store(true, ordering: .releasing)
        threads.compaction.join()
        let (figures, storeFailure) = progress.result.withLock { $0 }
        if let storeFailure { throw CommandFailure(storeFailure.description) }
        if let failure {
            let stored = "\(figures.samples) samples before it are stored"
            throw CommandFailure(figures.samples > 0 ? "\(failure.message); \(stored)" : failure.message)
        }
        return figures
    }

    private func startThreads() throws(CommandFailure) -> (writer: WorkerThread, compaction: WorkerThread) {
        let name = "import \(SystemClock.wallMilliseconds())"
        do throws(WorkerThread.StartError) {
            let writer = try WorkerThread("import-writer") { [store, free, full, progress] in
                var importing = SampleImport(into: store, name: name)
                while case .message(let batch) = full.receive() {
                    importing.add(series: batch.newSeries)
                    do throws(StoreError) { try importing.write(batch.samples) } catch {
                        progress.result.withLock { $0.failure = error }
                        free.close()
                        break
                    }
                    progress.result.withLock { $0.figures = importing.figures }
                    var samples = batch.samples
                    samples.removeAll()
                    free.send(samples)
                }
            }
            let compaction = try WorkerThread("import-blocks", niceness: 5) { [store, progress] in
                let pause = Mailbox<Bool>(capacity: 1)
                while true {
                    let wasDone = progress.isDone.load(ordering: .acquiring)
                    let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
                    do throws(StoreError) {
                        if try store.compact(now: now) { continue }
                    } catch {
                        progress.result.withLock { $0.failure = $0.failure ?? error }
                        return
                    }
                    if wasDone { return }
                    _ = pause.receive(deadline: SystemClock.monotonicNanoseconds(in: 50))
                }
            }
            return (writer, compaction)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private func read(_ file: DumpFile) throws(CommandFailure) {
        guard case .message(var samples) = free.receive() else { return }
        var known = 0
        let keepsNaN = keepsNaN
        /// Hands the batch over. Returns false if the writer has failed.
        func hand() -> Bool {
            full.send(Batch(samples: samples, newSeries: Array(dump.series[known...])))
            known = dump.series.count
            samples = ImportedSamples()
            guard case .message(let next) = free.receive() else { return false }
            samples = next
            return true
        }
        var failure: ExpositionError?
        try file.forEachPiece(of: Self.pieceBytes) { (bytes) throws(CommandFailure) in
            do throws(ExpositionError) {
                try dump.read(bytes) { series, time, value in
                    samples.append(series, time, value.isNaN && !keepsNaN ? .staleMarker : value)
                }
            } catch {
                failure = error
                return false
            }
            return samples.count < Self.batch || hand()
        }
        if samples.count > 0 { _ = hand() }
        do throws(ExpositionError) {
            if let failure { throw failure }
            if !free.isClosed { try dump.finish() }
        } catch {
            throw CommandFailure("\(file.name): \(error)")
        }
    }
}

/// A dump in a file, or on standard input. A value.
struct DumpFile {
    /// `-` is standard input.
    let path: String

    var isStandardInput: Bool { path == "-" }
    /// In messages.
    var name: String { isStandardInput ? "standard input" : path }

    /// Calls `body` with the bytes, piece by piece, until it returns false.
    func forEachPiece(
        of bytes: Int, _ body: ([UInt8]) throws(CommandFailure) -> Bool
    ) throws(CommandFailure) {
        let descriptor = isStandardInput ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure("\(path): \(SystemError.current)") }
        defer { if !isStandardInput { close(descriptor) } }
        while true {
            var code: Int32 = 0
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
                var length = 0
                repeat {
                    length = unsafe Glibc.read(descriptor, buffer.baseAddress, bytes)
                } while length < 0 && errno == EINTR
                if length < 0 { code = errno }
                count = max(0, length)
            }
            guard code == 0 else { throw CommandFailure("\(name): \(SystemError.text(code))") }
            if piece.isEmpty { return }
            guard try body(piece) else { return }
        }
    }
}
