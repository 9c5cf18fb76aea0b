internal import Glibc
internal import Scraper

/// The number of concurrent senders that a receiver needs. A machine without clock or IO, stepped every ten seconds.
///
/// Source: prometheus/storage/remote/queue_manager.go, `calculateDesiredShards`.
struct ShardCalculation: Equatable {
    /// The seconds between steps.
    static let period = 10.0

    /// The work since the last step.
    struct Figures: Equatable {
        /// Samples that were read.
        var samplesIn = 0
        /// Samples that were read and are sent.
        var kept = 0
        /// Samples that were delivered.
        var samplesOut = 0
        /// The seconds that senders needed for them.
        var outSeconds = 0.0
        /// How far the newest delivered sample is behind the newest one, in seconds.
        var delaySeconds = 0.0
    }

    /// A rate per second that follows changes slowly.
    private struct Rate: Equatable {
        private(set) var value = 0.0
        private var hasValue = false

        mutating func add(_ amount: Double) {
            let current = amount / ShardCalculation.period
            value = hasValue ? value + 0.2 * (current - value) : current
            hasValue = true
        }
    }

    private let queue: RemoteWriteSettings.Queue
    private var samplesIn = Rate()
    private var kept = Rate()
    private var samplesOut = Rate()
    private var outSeconds = Rate()
    /// The present number.
    private(set) var shards: Int
    /// The number before it is limited.
    private(set) var desired: Double

    init(_ queue: RemoteWriteSettings.Queue) {
        self.queue = queue
        shards = max(1, queue.minimumShards)
        desired = Double(shards)
    }

    /// Ten seconds passed.
    mutating func passed(_ figures: Figures) {
        samplesIn.add(Double(figures.samplesIn))
        kept.add(Double(figures.kept))
        samplesOut.add(Double(figures.samplesOut))
        outSeconds.add(figures.outSeconds)
        guard samplesOut.value > 0 else { return }
        let backlog = figures.delaySeconds > Self.period ? 0.05 * figures.delaySeconds * kept.value : 0
        desired = outSeconds.value / samplesOut.value * (kept.value + backlog)
        if (Double(shards) * 0.7...Double(shards) * 1.3).contains(desired) { return }
        let wanted = Int(min(ceil(desired), 1_000_000))
        // Fewer senders would not help one that is behind.
        if wanted < shards, figures.delaySeconds > Self.period { return }
        shards = min(max(wanted, queue.minimumShards, 1), max(queue.maximumShards, 1))
    }
}
