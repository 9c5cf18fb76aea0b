internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Scraper
internal import TLS

/// Divides the samples of a portion into requests: the same samples in the same order into the same requests. Owned by
/// the thread of ``SendLoop``.
final class RequestBuilder {
    /// Exemplars that wait for a sample of their series.
    private static let mostWaiting = 100_000
    /// How long they wait, in milliseconds.
    private static let longestWait: Int64 = 600_000

    /// The samples of a sender that do not fill a request yet.
    private struct Slot {
        var samples: [WriteMessageWriter.Sample] = []
        /// The exemplars of samples, by the index of the sample.
        var attached: [Int: [Exemplar]] = [:]
        /// Exemplars without a sample.
        var alone: [WriteMessageWriter.SeriesExemplar] = []
        var exemplars = 0
        var newest = Int64.min
        var histograms = 0

        var count: Int { samples.count + exemplars }
    }

    /// The knowledge about a series.
    private enum Known {
        /// Rules drop it, or it has no name.
        case dropped
        /// The hash of its sent labels.
        case sent(UInt64)
    }

    private struct Waiting {
        var labels: Labels
        var exemplars: [Exemplar]
        var since: Int64
    }

    private let settings: RemoteWriteSettings
    private let externalLabels: Labels
    private let relabelling: Relabelling
    private let instruments: SenderInstruments
    private var writer: WriteMessageWriter
    private var known: [Known?] = []
    private var slots: [Slot] = []
    /// By the hash of the sent labels.
    private var waiting: [UInt64: Waiting] = [:]
    private var portion = SendPortion(time: 0, shards: 1)
    private var number: UInt64 = 0
    private var repetition = SendShard.Repetition.none
    private(set) var readCount = 0
    private(set) var keptCount = 0
    /// The time of the newest sample that was read, in milliseconds since 1970; 0 before the first.
    private(set) var newestRead: Int64 = 0
    /// For version 2.
    var metadata: [String: MetricMetadata] = [:]
    private let emit: (Int, SendShard.Batch) -> Void

    /// - Parameter emit: takes each request with the number of its sender.
    init(
        _ settings: RemoteWriteSettings, externalLabels: Labels, _ instruments: SenderInstruments,
        emit: @escaping (Int, SendShard.Batch) -> Void
    ) throws(RelabelError) {
        self.settings = settings
        self.externalLabels = externalLabels
        self.instruments = instruments
        self.emit = emit
        relabelling = try Relabelling(settings.relabelRules)
        writer = WriteMessageWriter(settings.message.version)
    }

    /// Changes with everything besides rows and portions that decides about requests.
    static func fingerprint(_ settings: RemoteWriteSettings, externalLabels: Labels) -> String {
        var text = "\(settings.message.rawValue) \(settings.queue.samplesPerSend) \(settings.sendsNativeHistograms)"
        text += " \(settings.queue.sampleAgeLimit.rawValue) \(externalLabels)"
        for rule in settings.relabelRules {
            text += "\n\(rule.action.rawValue) \(rule.sourceLabels) \(rule.separator.debugDescription)"
            text += " \(rule.regex.debugDescription) \(rule.modulus) \(rule.targetLabel.debugDescription)"
            text += " \(rule.replacement.debugDescription)"
        }
        return Hexadecimal.text(SHA256.hash(text))
    }

    // MARK: Portions

    /// The next samples belong to `portion`.
    func begin(_ portion: SendPortion, number: UInt64, _ repetition: SendShard.Repetition) {
        self.portion = portion
        self.number = number
        self.repetition = repetition
        slots = Array(repeating: Slot(), count: portion.shards)
    }

    /// All samples of the portion were added.
    func end() {
        flush()
        if waiting.isEmpty { return }
        if writer.version == .one {
            // A receiver knows the series of these exemplars by now.
            for (hash, entry) in waiting.sorted(by: { $0.key < $1.key }) {
                let index = Int(hash % UInt64(slots.count))
                for exemplar in entry.exemplars {
                    makeRoom(index)
                    slots[index].alone.append(.init(labels: entry.labels, exemplar: exemplar))
                    slots[index].exemplars += 1
                }
            }
            waiting = [:]
            flush()
            return
        }
        // Version 2 takes exemplars only beside a sample.
        for (hash, entry) in waiting where entry.since < portion.time - Self.longestWait {
            instruments.droppedExemplars.add(Double(entry.exemplars.count))
            waiting[hash] = nil
        }
    }

    /// Hands over the requests that are not full.
    func flush() {
        for index in slots.indices { flush(index) }
    }

    /// Samples and kept samples since the last call.
    func takeCounts() -> (read: Int, kept: Int) {
        defer { (readCount, keptCount) = (0, 0) }
        return (readCount, keptCount)
    }

    // MARK: Samples

    /// A sample of the series `series`.
    ///
    /// - Parameter labels: returns its labels; called once.
    func add(_ series: Int, _ time: Int64, _ value: CommittedRows.Value, labels: (Int) -> Labels) {
        readCount += 1
        newestRead = max(newestRead, time)
        guard let hash = hash(of: series, labels) else {
            instruments.droppedByRules.add()
            return
        }
        var isHistogram = false
        if case .histogram = value {
            if !settings.sendsNativeHistograms { return }
            isHistogram = true
        }
        let limit = settings.queue.sampleAgeLimit.rawValue
        if limit > 0, time < portion.time - limit {
            instruments.droppedByAge.add()
            return
        }
        keptCount += 1
        let index = Int(hash % UInt64(slots.count))
        makeRoom(index)
        // Receivers of version 1 may want to know the series of an exemplar before.
        if writer.version == .two, !waiting.isEmpty, let found = waiting.removeValue(forKey: hash) {
            slots[index].attached[slots[index].samples.count] = found.exemplars
            slots[index].exemplars += found.exemplars.count
        }
        if isHistogram { slots[index].histograms += 1 }
        slots[index].samples.append(.init(series: series, time: time, value: value))
        slots[index].newest = max(slots[index].newest, time)
    }

    /// Series that are gone. Called between portions.
    func forget(_ removed: [Int]) {
        for number in removed {
            writer.forget(number)
            if number < known.count { known[number] = nil }
        }
        guard writer.isFull else { return }
        writer.forgetAll()
        known = []
    }

    /// The hash of the labels that a series is sent with; `nil` if it is not sent.
    private func hash(of series: Int, _ labels: (Int) -> Labels) -> UInt64? {
        while known.count <= series { known.append(nil) }
        switch known[series] {
        case .dropped: return nil
        case .sent(let hash): return hash
        case nil: break
        }
        guard let labels = sent(labels(series)) else {
            known[series] = .dropped
            return nil
        }
        writer.set(series, labels)
        let hash = Self.hash(labels)
        known[series] = .sent(hash)
        return hash
    }

    /// The labels after external labels and rules; `nil` if the series is not sent.
    private func sent(_ labels: Labels) -> Labels? {
        var all = labels
        for label in externalLabels.pairs where all[label.name] == nil { all.set(label.name, to: label.value) }
        guard let kept = relabelling.isEmpty ? all : relabelling.apply(to: all), kept.metricName != nil else {
            return nil
        }
        return kept
    }

    /// FNV-1a. The same in every process, so that a series stays with its sender.
    private static func hash(_ labels: Labels) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for pair in labels.pairs {
            for byte in pair.name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
            for byte in pair.value.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        return hash
    }

    // MARK: Exemplars

    /// Exemplars that are sent with the next sample of their series; in version 1 after the next portion.
    func add(_ exemplars: [StoredExemplar], at time: Int64) {
        for stored in exemplars {
            guard let labels = sent(stored.series) else { continue }
            if waiting.count >= Self.mostWaiting {
                instruments.droppedExemplars.add()
                continue
            }
            waiting[Self.hash(labels), default: Waiting(labels: labels, exemplars: [], since: time)]
                .exemplars.append(stored.exemplar)
        }
    }

    /// Whether exemplars wait that need no sample.
    var hasWaiting: Bool { writer.version == .one && !waiting.isEmpty }

    // MARK: Requests

    private func makeRoom(_ index: Int) {
        if slots[index].count >= settings.queue.samplesPerSend { flush(index) }
    }

    private func flush(_ index: Int) {
        let slot = slots[index]
        if slot.count == 0 { return }
        let body = writer.write(
            slot.samples, attached: slot.attached, slot.alone, isDivisible: repetition == .other
        ) { [metadata] in Self.metadata(of: $0, in: metadata) }
        let counts = SenderInstruments.Counts(
            samples: slot.samples.count - slot.histograms, histograms: slot.histograms, exemplars: slot.exemplars)
        slots[index].samples.removeAll(keepingCapacity: true)
        (slots[index].attached, slots[index].alone) = ([:], [])
        (slots[index].exemplars, slots[index].histograms, slots[index].newest) = (0, 0, .min)
        emit(
            index,
            SendShard.Batch(
                body: body, counts: counts, portion: number, newest: slot.newest, repetition: repetition))
    }

    /// The metadata of the family of `metric`.
    private static func metadata(of metric: String, in families: [String: MetricMetadata]) -> MetricMetadata? {
        if let found = families[metric] { return found }
        for suffix in ["_bucket", "_count", "_sum", "_total"] where metric.hasSuffix(suffix) {
            if let found = families[String(metric.dropLast(suffix.count))] { return found }
        }
        return nil
    }
}
