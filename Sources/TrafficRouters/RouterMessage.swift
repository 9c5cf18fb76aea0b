internal import JSON
internal import Rollback

/// The JSON that programs and web services receive and return.
enum RouterMessage {
    /// `{"operation": "shift", "service": "auth", "stable": 100, "candidate": 0, …}`.
    ///
    /// - Parameter admitsTesters: whether it also says whether testers reach the candidate.
    static func request(
        _ name: String, _ split: TrafficSplit?, admitsTesters: Bool, _ operation: RouterOperation
    ) -> JSON {
        var members: [JSON.Member] = [
            .init("operation", .string(name)), .init("service", .string(operation.service)),
            .init("generation", .integer(Int64(clamping: operation.generation))),
            .init("epoch", .integer(Int64(clamping: operation.epoch))), .init("key", .string(operation.key)),
        ]
        if let split {
            members.append(.init("stable", .integer(Int64(split.stable))))
            members.append(.init("candidate", .integer(Int64(split.candidate))))
            if admitsTesters { members.append(.init("testers", .bool(split > .allStable))) }
        }
        return .object(members)
    }

    /// Reads `{"stable": 90, "candidate": 10, "stable_healthy": true, "candidate_healthy": true, "isolated": false,
    /// "candidate_requests": 17, "effective": true, "testers": false}`. Everything except the weights is optional.
    static func inspection(_ bytes: [UInt8]) throws(RouterError) -> Inspection {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: bytes) } catch { throw RouterError("the reading is \(error)") }
        guard let stable = json["stable"]?.integer, let candidate = json["candidate"]?.integer else {
            throw RouterError("the numbers \"stable\" and \"candidate\" are required")
        }
        guard (0...100).contains(stable), (0...100).contains(candidate) else {
            throw RouterError("the weights \(stable) and \(candidate) are not percentages")
        }
        let split = stable + candidate == 100 ? TrafficSplit(candidate: Int(candidate)) : nil
        return Inspection(
            split: json["testers"]?.bool == true ? split?.withTesters : split,
            stable: health(json["stable_healthy"]), candidate: health(json["candidate_healthy"]),
            isCandidateIsolated: json["isolated"]?.bool ?? false,
            candidateRequests: json["candidate_requests"]?.integer.flatMap(UInt64.init(exactly:)),
            grade: json["effective"]?.bool == false ? .stored : .effective)
    }

    private static func health(_ value: JSON?) -> TargetHealth {
        switch value?.bool {
        case true?: .healthy
        case false?: .unhealthy("reported by the router")
        case nil: .unknown("not reported by the router")
        }
    }
}
