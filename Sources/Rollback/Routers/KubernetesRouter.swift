internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Runtime

/// An object of a Kubernetes API server that divides traffic.
///
/// A shift counts when the API server has stored it; how soon proxies follow is up to the controller of the object.
struct KubernetesRouter: TrafficRouter {
    let route: KubernetesRoute
    let timeout: Milliseconds
    let client: HTTPClient
    var fence = Fence.none

    /// How often a shift is tried against others who write to the same object.
    private static let attempts = 5

    var description: String { "kubernetes \(path)" }

    func read() throws(RouterError) -> Inspection {
        let split = try KubernetesDivision(route).split(of: get(by: deadline))
        return Inspection(
            split: split, stable: .unknown("Kubernetes does not tell"), isCandidateIsolated: split == .allStable)
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        let deadline = deadline
        if case .service = route.object, split != .allStable, split != .allCandidate {
            throw RouterError("the selector of a Service gives a version all or nothing, not \(split)")
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
            let answer = try send("PATCH", by: deadline, type: type, patch)
            // Another writer shows as 409, or as 422 when the API server finds that the test of the version fails. An
            // object that is refused twice at the same version is refused for what it says.
            guard answer.status == 409 || answer.status == 422 && refused != version else {
                return try check(answer, "PATCH")
            }
            refused = version
        }
        throw RouterError("\(path) was changed by others \(Self.attempts) times during the shift")
    }

    /// The epoch to leave in the object, where a lease is shared. Since a patch holds for the version that was read
    /// only, a process that has lost its lease cannot write after its successor has.
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

    /// At weight 0 nothing reaches the candidate: nothing is left to do.
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

    private func get(by deadline: Int64) throws(RouterError) -> JSON {
        let answer = try send("GET", by: deadline)
        try check(answer, "GET")
        do throws(JSONError) { return try JSON(parsing: answer.body) } catch {
            throw RouterError("GET \(path) answered \(error)")
        }
    }

    private func send(
        _ method: String, by deadline: Int64, type: String? = nil, _ body: JSON? = nil
    ) throws(RouterError) -> HTTPResponse {
        let left = (deadline - SystemClock.monotonicNanoseconds()) / 1_000_000
        guard left > 0 else { throw RouterError("\(method) \(path): no answer in time") }
        var request = HTTPRequest(method: method, url: route.server + path, timeoutMilliseconds: left)
        request.maximumBodyBytes = 4 << 20
        request.headers = [("Accept", "application/json")]
        if let type { request.headers.append(("Content-Type", type)) }
        if let body { request.body = Array(body.encoded.utf8) }
        if let file = route.tokenFile { request.authorize(credentials: try token(file)) }
        if let file = route.authorityFile { request.tls.authorities = .file(file) }
        do throws(HTTPFailure) { return try client.send(request) } catch {
            throw RouterError("\(method) \(path): \(error.message)")
        }
    }

    private func token(_ file: String) throws(RouterError) -> String {
        let bytes: [UInt8]
        do throws(FileText.ReadError) { bytes = try FileText.bytes(file, limit: 64 << 10) } catch {
            throw RouterError("the token cannot be read: \(error)")
        }
        let words = bytes.split { $0 <= 0x20 }
        guard words.count == 1 else { throw RouterError("the token file \(file) does not hold one token") }
        return String(decoding: words[0], as: UTF8.self)
    }

    private func check(_ answer: HTTPResponse, _ method: String) throws(RouterError) {
        guard answer.status != 200 else { return }
        let meaning =
            switch answer.status {
            case 401: " (the token is missing, wrong or expired)"
            case 403: " (the account may not do this)"
            case 404: " (there is no such object, or its kind is not installed)"
            case 409: " (changed by another writer)"
            case 415: " (this kind of patch is not accepted)"
            case 429: " (too many requests)"
            default: ""
            }
        // The words of the API server, where it had any.
        let told = (try? JSON(parsing: answer.body))?["message"]?.text
        let words = told ?? String(decoding: answer.body.prefix(200), as: UTF8.self)
        throw RouterError("\(method) \(path) answered \(answer.status)\(meaning): \(words)")
    }
}
