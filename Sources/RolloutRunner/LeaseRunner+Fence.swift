internal import Lease
internal import Rollback
internal import TrafficRouters

extension LeaseRunner {
    /// Whether `operation` is permitted now.
    func permits(_ operation: RouterOperation) -> Bool {
        switch (standing, operation.kind) {
        case (.none, _), (.alone, .shift(.allCandidate)): false
        case (.leading(let epoch), _): epoch == operation.epoch
        case (.alone(let epoch), .shift(let split)): epoch == operation.epoch && split == .allStable
        case (.alone(let epoch), .inspect), (.alone(let epoch), .isolate): epoch == operation.epoch
        }
    }
}

extension Fence {
    /// A fence that checks `lease`; permits everything without a lease.
    init(_ lease: LeaseRunner?) {
        guard let lease else {
            self = .none
            return
        }
        self.init(isShared: true) { lease.permits($0) }
    }
}
