internal import Durable
internal import MetricModel
internal import Rollback
internal import Runtime

/// Journals of plans that the configuration no longer has.
enum OrphanedJournal {
    private static let ending = ".journal"

    /// A page for each journal in `directory` whose last record is of a rollout that is not over, and whose plan is not
    /// among `plans`: nobody watches its traffic.
    static func notices(in directory: String, except plans: Set<String>) -> [RollbackNotice] {
        Paths.matching("\(directory)/*\(ending)").sorted().compactMap { path in
            let name = String(path.dropFirst(directory.utf8.count + 1).dropLast(ending.utf8.count))
            guard !plans.contains(name) else { return nil }
            // Read and not opened, which would rename a damaged file. One that cannot be read has nothing to say.
            guard let bytes = try? FileText.bytes(path), let last = RecordScan.lastRecord(in: bytes),
                let record = JournalRecord(payload: last.payload), record.state.isUnfinished
            else { return nil }
            let candidates = record.state.services.filter { $0.value.split > .allStable }.sorted { $0.key < $1.key }
            let traffic = candidates.map { "\($0.key) \($0.value.split.stageName)" }.joined(separator: ", ")
            return RollbackNotice(
                plan: name, key: "\(name)/orphaned", kind: .page,
                text: "plan \(name): its journal has an unfinished rollout (generation \(record.state.generation), "
                    + "\(record.state.phase.name)), but no plan is called so: nobody watches its candidates"
                    + (traffic.isEmpty ? "" : " (wanted: \(traffic))"), receivers: [])
        }
    }
}

extension RolloutState {
    /// Whether candidates have traffic, or are on their way.
    fileprivate var isUnfinished: Bool {
        switch phase {
        case .promoting, .paused, .rollingBack: true
        case .promoted: services.values.contains { $0.split > .allStable }
        case .idle, .retired, .rolledBack: false
        }
    }
}
