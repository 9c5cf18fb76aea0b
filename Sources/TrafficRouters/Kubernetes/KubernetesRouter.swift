internal import CurlHTTP
internal import JSON
internal import KubernetesClient
internal import MetricModel
internal import Rollback
internal import Runtime

/// An object of a Kubernetes API server that splits traffic.
///
/// A shift is complete when the API server has stored it. How fast proxies follow depends on the object's controller.
struct KubernetesRouter: TrafficRouter {
    let route: KubernetesRoute
    let timeout: Milliseconds
    let client: HTTPClient
    var fence = Fence.none

    /// The maximum number of attempts if other writers change the same object.
    private static let attempts = 5

    func read() throws(RouterError) -> Inspection {
        let (object, division) = (try get(by: deadline), KubernetesDivision(route))
        let split = try division.split(of: object)
        return Inspection(
            split: split, stable: .unknown("not reported by Kubernetes"), isCandidateIsolated: split == .allStable,
            grade: division.grade(of: object))
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        let deadline = deadline
        if case .service = route.object, split != .allStable, split != .allCandidate {
            throw RouterError("the selector of a Service can only select one version, not \(split)")
        }
        var refused: String?
        for _ in 0..<Self.attempts {
            let object = try get(by: deadline)
            guard let version = object["metadata"]?["resourceVersion"]?.text else {
                throw RouterError("\(path) has no resourceVersion")
            }
            let epoch = try stamp(operation, over: object)
            let (type, patch) = try patch(of: object, version: version, to: split, epoch: epoch)
            try fence.check(operation)
            let answer = try self.patch(by: deadline, type: type, patch)
            // Another writer causes 409, or 422 if the API server finds that the test of the version fails. An object
            // that is rejected twice at the same version is rejected because of its content.
            guard answer.status == 409 || answer.status == 422 && refused != version else {
                return try check(answer)
            }
            refused = version
        }
        throw RouterError("\(path) was changed by others \(Self.attempts) times during the shift")
    }

    /// The epoch to store in the object, if a lease is shared. A patch applies only to the version that was read, so a
    /// process that has lost its lease cannot write after its successor.
    private func stamp(_ operation: RouterOperation, over object: JSON) throws(RouterError) -> UInt64? {
        let last = object["metadata"]?["annotations"]?[KubernetesDivision.epoch]?.text.flatMap { UInt64($0) }
        try fence.check(operation, against: last, in: path)
        return fence.isShared ? operation.epoch : nil
    }

    private func patch(
        of object: JSON, version: String, to split: TrafficSplit, epoch: UInt64?
    ) throws(RouterError) -> (type: String, patch: JSON) {
        let division = KubernetesDivision(route)
        guard case .service(let stable, let candidate) = route.object else {
            let patch = try division.patch(of: object, version: version, to: split, epoch: epoch)
            return ("application/json-patch+json", patch)
        }
        let labels = (split == .allStable ? stable : candidate).map { JSON.Member($0.name, .string($0.value)) }
        var metadata: [JSON.Member] = [.init("resourceVersion", .string(version))]
        if let epoch { metadata.append(.init("annotations", [KubernetesDivision.epoch: .string(String(epoch))])) }
        return (
            "application/strategic-merge-patch+json",
            ["metadata": .object(metadata), "spec": ["selector": .object(labels)]]
        )
    }

    /// At weight 0 the candidate gets no requests, so nothing is left to do.
    func isolate(for operation: RouterOperation) throws(RouterError) {}

    private var deadline: Int64 {
        SystemClock.monotonicNanoseconds() + timeout.rawValue * 1_000_000
    }

    private var path: String {
        let collection =
            switch route.object {
            case .service: ("api/v1", "services")
            case .httpRoute: ("apis/gateway.networking.k8s.io/v1", "httproutes")
            case .virtualService: ("apis/networking.istio.io/v1beta1", "virtualservices")
            case .ingress: ("apis/networking.k8s.io/v1", "ingresses")
            }
        return "/\(collection.0)/namespaces/\(route.namespace)/\(collection.1)/\(route.name)"
    }

    private var kubernetes: KubernetesClient {
        KubernetesClient(
            KubernetesServer(url: route.server, tokenFile: route.tokenFile, authorityFile: route.authorityFile),
            client: client)
    }

    private func get(by deadline: Int64) throws(RouterError) -> JSON {
        do throws(KubernetesError) { return try kubernetes.object(at: path, by: deadline) } catch {
            throw RouterError(error.description)
        }
    }

    private func patch(by deadline: Int64, type: String, _ patch: JSON) throws(RouterError) -> HTTPResponse {
        do throws(KubernetesError) { return try kubernetes.send("PATCH", path, by: deadline, type: type, patch) } catch
        {
            throw RouterError(error.description)
        }
    }

    private func check(_ answer: HTTPResponse) throws(RouterError) {
        do throws(KubernetesError) { try KubernetesClient.check(answer, "PATCH", path) } catch {
            throw RouterError(error.description)
        }
    }
}
