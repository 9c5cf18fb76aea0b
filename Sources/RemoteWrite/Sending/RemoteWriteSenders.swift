internal import CurlHTTP
public import Instrumentation
public import MetricModel
public import MetricStore
public import Runtime
public import Scraper
internal import Synchronization
internal import TLS

/// Sends the samples of the store to the servers in `remote_write`. Reloaded and stopped by one thread.
public final class RemoteWriteSenders: Sendable {
    /// A running sender.
    private struct Running {
        var settings: RemoteWriteSettings
        var externalLabels: Labels
        let context: SendShard.Context
        let thread: WorkerThread

        func stop() {
            context.stop()
            thread.join()
            context.instruments.remove()
        }
    }

    private let store: MetricStore
    private let directory: String?
    private let maximumBacklog: Int
    private let registry: Registry
    private let logger: Logger
    private let families: @Sendable () -> [MetricMetadata]
    private let running = Mutex<[String: Running]>([:])
    /// For each receiver, the number of rows of each lane that were delivered.
    private let delivery = Mutex<[String: [UInt32: Int]]>([:])

    /// No senders yet.
    ///
    /// - Parameters:
    ///   - directory: the directory of the files with positions; `nil` keeps them in memory.
    ///   - maximumBacklog: the limit of the size of samples that are kept beyond the retention until they are sent.
    ///   - families: returns the metadata of metrics.
    public init(
        store: MetricStore, directory: String?, maximumBacklog: Int = 0, registry: Registry, logger: Logger = .silent,
        families: @escaping @Sendable () -> [MetricMetadata] = { [] }
    ) {
        self.store = store
        self.directory = directory
        self.maximumBacklog = maximumBacklog
        self.registry = registry
        self.logger = logger.with("component", "remote_write")
        self.families = families
    }

    /// Starts, stops and restarts senders so that they are those of `entries`. A sender whose settings are unchanged is
    /// not interrupted. One with other settings goes on where it was.
    public func reload(_ entries: [RemoteWriteSettings], externalLabels: Labels) {
        var wanted: [String: RemoteWriteSettings] = [:]
        for entry in entries where wanted[Self.name(of: entry)] == nil { wanted[Self.name(of: entry)] = entry }
        let former = running.withLock { running in
            let former = running.filter { name, sender in
                sender.settings != wanted[name] || sender.externalLabels != externalLabels
            }
            for name in former.keys { running[name] = nil }
            return former
        }
        for sender in former.values { sender.stop() }
        let present = running.withLock { Set($0.keys) }
        for (name, settings) in wanted.sorted(by: { $0.key < $1.key }) where !present.contains(name) {
            start(name, settings, externalLabels)
        }
    }

    /// The name in metrics and of the file: that of the entry, or one derived from the URL.
    static func name(of entry: RemoteWriteSettings) -> String {
        entry.name.isEmpty ? String(Hexadecimal.text(SHA256.hash(Array(entry.url.utf8))).prefix(6)) : entry.name
    }

    private func start(_ name: String, _ settings: RemoteWriteSettings, _ externalLabels: Labels) {
        let logger = logger.with("remote_name", name)
        let context = SendShard.Context(settings, SenderInstruments(registry, name: name, settings), logger)
        if let directory, !Paths.makeDirectory(directory, isPrivate: true) {
            context.instruments.remove()
            logger.error("remote write cannot start", ["error": "\(directory): \(SystemError.current)"])
            return
        }
        let file = directory.map { "\($0)/\(Hexadecimal.text(Array(name.utf8).prefix(100))).positions" }
        do {
            let (store, families) = (store, families)
            let hold = { @Sendable [weak self] (delivered: [UInt32: Int]?) -> Void in self?.hold(name, delivered) }
            // Rules were checked when the configuration was read.
            _ = try Relabelling(settings.relabelRules)
            // Until the first delivery it is not known which rows were sent.
            self.hold(name, [:])
            // Rows from now on are sent, also if the thread starts later, or after a crash.
            let present = CommittedRows(store).refresh()
            if let file, SendJournal(file: file) == nil {
                var journal = SendJournal(
                    fingerprint: RequestBuilder.fingerprint(settings, externalLabels: externalLabels))
                journal.delivered = SendPositions(present, at: SystemClock.wallMilliseconds())
                try journal.write(to: file)
            }
            let thread = try WorkerThread("remote-write", niceness: 5) {
                do throws(RelabelError) {
                    let loop = try SendLoop(
                        store, context, externalLabels: externalLabels, file: file, families: families
                    ) { delivered in hold(delivered) }
                    loop.run(present)
                } catch {
                    // The same rules were read before: only memory can be missing.
                    hold(nil)
                    context.logger.error("remote write has stopped", ["error": error.description])
                }
            }
            running.withLock {
                $0[name] = Running(
                    settings: settings, externalLabels: externalLabels, context: context, thread: thread)
            }
            logger.info("remote write started", ["url": HTTPRequest.shown(settings.url)])
        } catch {
            context.instruments.remove()
            logger.error("remote write cannot start", ["error": "\(error)"])
        }
    }

    /// These rows were delivered to a receiver; `nil` if it has stopped.
    private func hold(_ name: String, _ delivered: [UInt32: Int]?) {
        let all = delivery.withLock { delivery in
            delivery[name] = delivered
            return Array(delivery.values)
        }
        guard let first = all.first else { return store.keepUnsent(after: nil, bytes: 0) }
        // A lane that one receiver has nothing of is not in the result.
        let least = all.dropFirst().reduce(first) { least, other in
            least.reduce(into: [:]) { rows, lane in
                if let count = other[lane.key] { rows[lane.key] = min(lane.value, count) }
            }
        }
        store.keepUnsent(after: least, bytes: maximumBacklog)
    }

    /// Stops all senders. What was not delivered is sent after the next start.
    public func stop() {
        let all = running.withLock { running in
            defer { running = [:] }
            return running
        }
        for sender in all.values { sender.stop() }
    }
}
