internal import JSON
internal import MetricModel
internal import Rollback

/// Programs that split traffic. They get the operation as JSON on standard input and its key in the environment
/// variable `TRIBUNE_IDEMPOTENCY_KEY`. The program for reading prints the split as JSON. Exit code 0 means success.
struct ExecRouter: TrafficRouter {
    let route: ExecRoute
    let timeout: Milliseconds
    var fence = Fence.none

    func read() throws(RouterError) -> Inspection {
        try RouterMessage.inspection(Array(Program.run(route.read, timeout: timeout).utf8))
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        try run(route.shift, "shift", split, operation)
    }

    func isolate(for operation: RouterOperation) throws(RouterError) {
        guard let isolate = route.isolate else { return }
        try run(isolate, "isolate", nil, operation)
    }

    private func run(
        _ command: [String], _ name: String, _ split: TrafficSplit?, _ operation: RouterOperation
    ) throws(RouterError) {
        try fence.check(operation)
        _ = try Program.run(
            command, input: RouterMessage.request(name, split, admitsTesters: route.admitsTesters, operation).encoded,
            environment: [
                "TRIBUNE_IDEMPOTENCY_KEY": "\(operation.key)/\(name)", "TRIBUNE_EPOCH": String(operation.epoch),
            ], timeout: timeout)
    }
}
