internal import JSON
internal import Rollback

/// How the objects of Kubernetes express a division: finds it in an object, and says what to change.
struct KubernetesDivision {
    private let route: KubernetesRoute

    /// The annotation that holds the epoch under which an object was written last.
    static let epoch = "tribune/epoch"
    private static let canary = "nginx.ingress.kubernetes.io/canary"

    /// Where the weights of both versions stand in one rule of an object.
    private struct Place {
        var stable: (path: String, weight: Int64)
        var candidate: (path: String, weight: Int64)
    }

    init(_ route: KubernetesRoute) {
        self.route = route
    }

    /// The division in `object`; `nil` where its rules disagree, or neither version gets anything.
    func split(of object: JSON) throws(RouterError) -> TrafficSplit? {
        switch route.object {
        case .service(let stable, let candidate):
            let selector = object["spec"]?["selector"]
            func selects(_ labels: [KubernetesRoute.Label]) -> Bool {
                labels.allSatisfy { selector?[$0.name]?.text == $0.value }
            }
            return selects(stable) ? .allStable : selects(candidate) ? .allCandidate : nil
        case .ingress:
            let text = try annotations(of: object)["\(Self.canary)-weight"]?.text ?? "0"
            return Int(text).flatMap(TrafficSplit.init(candidate:))
        case .httpRoute, .virtualService:
            let splits = try places(in: object).map { place in
                Self.split(stable: place.stable.weight, candidate: place.candidate.weight)
            }
            return splits.allSatisfy { $0 == splits.first } ? splits.first ?? nil : nil
        }
    }

    /// The JSON patch that turns `object`, if it still is at `version`, to `split`. Weights of 0 are written too.
    ///
    /// - Parameter epoch: left in an annotation where several processes share a lease.
    func patch(
        of object: JSON, version: String, to split: TrafficSplit, epoch: UInt64? = nil
    ) throws(RouterError) -> JSON {
        var steps: [JSON] = [["op": "test", "path": "/metadata/resourceVersion", "value": .string(version)]]
        func add(_ path: String, _ value: JSON) {
            // "add" replaces a member that is there.
            steps.append(["op": "add", "path": .string(path), "value": value])
        }
        if case .ingress = route.object {
            _ = try annotations(of: object)
            add(
                "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight",
                .string(String(split.candidate)))
        } else {
            for place in try places(in: object) {
                add(place.stable.path, .integer(Int64(split.stable)))
                add(place.candidate.path, .integer(Int64(split.candidate)))
            }
        }
        if let epoch {
            if object["metadata"]?["annotations"]?.members == nil { add("/metadata/annotations", .object([])) }
            add("/metadata/annotations/tribune~1epoch", .string(String(epoch)))
        }
        return .array(steps)
    }

    /// The annotations of an Ingress that ingress-nginx takes for a canary in percent.
    private func annotations(of object: JSON) throws(RouterError) -> JSON {
        guard let annotations = object["metadata"]?["annotations"], annotations[Self.canary]?.text == "true" else {
            throw RouterError("the Ingress \(route.name) lacks the annotation \(Self.canary): \"true\"")
        }
        if let total = annotations["\(Self.canary)-weight-total"]?.text, total != "100" {
            throw RouterError("the Ingress \(route.name) divides by \(total) instead of 100")
        }
        return annotations
    }

    /// Every rule that names both versions. Rules with one of them, such as for testers, are not ours to change.
    private func places(in object: JSON) throws(RouterError) -> [Place] {
        let names =
            if case .httpRoute = route.object {
                (rules: "rules", targets: "backendRefs", unset: Int64(1))
            } else {
                (rules: "http", targets: "route", unset: Int64(0))
            }
        var places: [Place] = []
        for (index, rule) in (object["spec"]?[names.rules]?.elements ?? []).enumerated() {
            let targets = rule[names.targets]?.elements ?? []
            let stable = targets.indices.filter { isTarget(targets[$0], stable: true) }
            let candidate = targets.indices.filter { isTarget(targets[$0], stable: false) }
            guard let first = stable.first, let second = candidate.first else { continue }
            guard stable.count == 1, candidate.count == 1 else {
                throw RouterError("rule \(index) of \(route.name) names a version more than once")
            }
            func place(_ target: Int) -> (String, Int64) {
                (
                    "/spec/\(names.rules)/\(index)/\(names.targets)/\(target)/weight",
                    targets[target]["weight"]?.integer ?? names.unset
                )
            }
            places.append(Place(stable: place(first), candidate: place(second)))
        }
        guard !places.isEmpty else { throw RouterError("no rule of \(route.name) names both versions") }
        return places
    }

    private func isTarget(_ target: JSON, stable wantsStable: Bool) -> Bool {
        switch route.object {
        case .httpRoute(let stable, let candidate):
            return target["name"]?.text == (wantsStable ? stable : candidate)
                && target["namespace"]?.text ?? route.namespace == route.namespace
        case .virtualService(let stable, let candidate):
            let wanted = wantsStable ? stable : candidate
            let destination = target["destination"]
            return destination?["host"]?.text == wanted.host && destination?["subset"]?.text == wanted.subset
        case .service, .ingress: return false
        }
    }

    private static func split(stable: Int64, candidate: Int64) -> TrafficSplit? {
        let limit: Int64 = 1_000_000
        guard (0...limit).contains(stable), (0...limit).contains(candidate) else { return nil }
        return TrafficSplit(candidateShares: Int(candidate), of: Int(stable + candidate))
    }
}
