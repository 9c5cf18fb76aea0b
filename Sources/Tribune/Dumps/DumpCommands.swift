internal import Exposition
internal import Glibc
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import Runtime

/// `tribune import openmetrics` and `tribune export openmetrics`: samples of other servers and for other servers.
enum DumpCommands {
    static let all = [importOpenMetrics, exportOpenMetrics]

    private static let storage = Command.Option.value(
        "storage.path", "DIR", "The directory of samples and history.", default: "data")

    static let importOpenMetrics = Command(
        "import openmetrics", "Store the samples of an OpenMetrics dump.", operands: "FILE|-", count: 1...1,
        options: [
            storage,
            .value("max-series", "COUNT", "More series are an error.", default: "5000000"),
            .flag("keep-nan", "Store NaN as a value. By default it is the mark that a series has ended."),
        ],
        details: """
            Takes what promtool tsdb dump-openmetrics prints: samples with timestamps, in any order, and # EOF at the end. Metadata and
            exemplars are skipped. The samples join those that are in the directory; a sample that is there already is used once.

            No server may use the directory: stop it for the time of the import. The command refuses to start otherwise, and a server does not
            start during an import. A file is checked before anything is stored; of standard input, the samples before a faulty line are stored,
            and may be imported again. Dumps do not distinguish NaN from the mark that a series has ended.

            The server removes samples that are older than its retention: set --storage.retention.time before the start.

            Example: promtool tsdb dump-openmetrics /var/lib/prometheus | tribune import openmetrics - --storage.path=data
            """
    ) { (invocation) throws(CommandFailure) in
        let file = DumpFile(path: invocation.operands.first ?? "-")
        let storage = invocation.value("storage.path") ?? "data"
        let maximumSeries = try invocation.count("max-series", atMost: Int(Int32.max))
        if !file.isStandardInput { try DumpImport.check(file, maximumSeries: maximumSeries) }
        let store = try StoppedStore.open(storage, creates: true)
        defer { store.close() }
        let start = SystemClock.monotonicNanoseconds()
        let importing = DumpImport(
            into: store, keepsNaN: invocation.flag("keep-nan"), maximumSeries: maximumSeries)
        let figures = try importing.run(file)
        let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        guard figures.samples > 0 else {
            Console.print("there are no samples in \(file.name)")
            return 0
        }
        Console.print(
            """
            \(figures.samples) samples of \(importing.dump.series.count) series from \
            \(RFC3339.text(milliseconds: figures.oldest)) to \(RFC3339.text(milliseconds: figures.newest)) in \
            \(FloatText.plain((seconds * 10).rounded() / 10)) s
            """)
        if figures.duplicates > 0 {
            Console.error(
                "warning: \(figures.duplicates) samples have the series and time of another one; the last is stored")
        }
        if importing.dump.exemplarCount > 0 {
            Console.error("warning: \(importing.dump.exemplarCount) exemplars are not stored")
        }
        return 0
    }

    static let exportOpenMetrics = Command(
        "export openmetrics", "Print stored samples as OpenMetrics.",
        options: [
            storage,
            .value("match", "SELECTOR", "Only these series; may be repeated."),
            .value("from", "TIME", "Unix seconds or RFC 3339; by default the first sample."),
            .value("to", "TIME", "Unix seconds or RFC 3339; by default the last sample."),
        ],
        details: """
            Prints a line per sample with its time, series by series, and # EOF: the input of promtool tsdb create-blocks-from openmetrics and
            of tribune import openmetrics. Native histograms have no such form; they are left out and counted.

            No server may use the directory. For that of a running server, make a snapshot (POST /api/v1/admin/tsdb/snapshot) and export
            --storage.path=DIR/snapshots/NAME.

            Example: tribune export openmetrics --match='{job="api"}' --from=2026-01-31T00:00:00Z > api.txt
            """
    ) { (invocation) throws(CommandFailure) in
        var selectors: [[Matcher]] = []
        for text in invocation.values("match") {
            do throws(ParseError) { selectors.append(try Expression.parseSelector(text)) } catch {
                throw CommandFailure("--match \(text): \(error)", code: .usage)
            }
        }
        let from = try invocation.optionalTime("from") ?? .distantPast
        let through = try invocation.optionalTime("to") ?? .distantFuture
        guard from <= through else { throw CommandFailure("--from must not be after --to", code: .usage) }
        let store = try StoppedStore.open(invocation.value("storage.path") ?? "data", creates: false)
        defer { store.close() }
        let export = DumpExport(store: store, selectors: selectors, from: from, through: through)
        let figures = try export.run { (text) throws(CommandFailure) in try Console.write(text) }
        for note in store.takeNotes() { Console.error("warning: \(note)") }
        if figures.histograms > 0 {
            Console.error("warning: \(figures.histograms) native histograms are left out")
        }
        return 0
    }
}

/// A store that no server uses.
enum StoppedStore {
    /// Opens the store in the directory `storage`. Nothing is removed from it.
    ///
    /// - Parameter creates: whether there may be no store yet.
    static func open(_ storage: String, creates: Bool) throws(CommandFailure) -> MetricStore {
        let path = "\(storage)/samples"
        let exists = unsafe access("\(path)/series.log", R_OK) == 0
        guard exists || creates else { throw CommandFailure("there are no samples in \(path)") }
        if !exists, unsafe access(storage, F_OK) != 0, !Paths.makeDirectory(storage, isPrivate: true) {
            throw CommandFailure("\(storage): \(SystemError.current)")
        }
        // The server could not change files of another user.
        var found = stat()
        if unsafe stat(storage, &found) == 0, found.st_uid != geteuid() {
            throw CommandFailure("\(storage) belongs to user \(found.st_uid); run the command as that user")
        }
        var configuration = StoreConfiguration(directory: path)
        configuration.retentionMilliseconds = Timestamp.distantFuture.milliseconds
        configuration.retentionBytes = .max
        // Samples of a day, and a little more for chunks that begin before it.
        configuration.segmentSpan = 25 * 3_600_000
        do throws(StoreError) {
            let store = try MetricStore(configuration, registry: nil)
            for note in store.recoveryNotes { Console.error("warning: \(note)") }
            return store
        } catch {
            guard error.code == .inUse else { throw CommandFailure(error.description) }
            throw CommandFailure("a server uses \(path); stop it, or use a copy")
        }
    }
}
