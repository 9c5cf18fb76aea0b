internal import ConfigurationFields
internal import CurlHTTP
internal import KubernetesClient
internal import Runtime

extension KubernetesDiscovery: Discoverer {
    /// A list of the API server that is watched.
    private struct Source {
        var kind: KubernetesKind
        var namespace: String
    }

    private struct Message: Sendable {
        var source: Int
        var change: ObjectWatch.Change
    }

    private static let queueLength = 4096
    private static let retryMilliseconds: Int64 = 10_000

    /// Watches each list on its own thread; this one keeps the objects. Nothing is published before every list was read
    /// for the first time.
    func run(_ session: DiscoverySession) {
        while !session.stop.isRaised {
            do throws(KubernetesError) {
                let client = KubernetesClient(try apiServer(), client: session.client, prepare: preparation)
                follow(client, try lookedAt(), session)
                return
            } catch {
                session.fail(DiscoveryError(error.description))
                _ = session.stop.wait(milliseconds: Self.retryMilliseconds)
            }
        }
    }

    private var preparation: KubernetesClient.Preparation? {
        guard case .url = server else { return nil }
        return { [http] (request) throws(HTTPFailure) in try http.apply(to: &request) }
    }

    private func apiServer() throws(KubernetesError) -> KubernetesServer {
        switch server {
        case .url(let url): return KubernetesServer(url: url)
        case .kubeconfig(let path): return try KubernetesServer(kubeconfig: path)
        case .ownCluster:
            guard let server = KubernetesServer.ofThisCluster else {
                throw KubernetesError(
                    "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT "
                        + "must be defined")
            }
            return server
        }
    }

    /// The namespaces; one empty name for all.
    private func lookedAt() throws(KubernetesError) -> [String] {
        var names = namespaces
        if includesOwnNamespace {
            guard let own = KubernetesServer.ownNamespace, !own.isEmpty else {
                throw KubernetesError("could not determine the pod's namespace")
            }
            if !names.contains(own) { names.append(own) }
        }
        return names.isEmpty ? [""] : names
    }

    private func list(_ source: Source) -> ObjectList {
        let selector = selectors.first { KubernetesKind($0.role) == source.kind }
        return ObjectList(
            path: source.kind.path(source.namespace), labels: selector?.label ?? "", fields: selector?.field ?? "")
    }

    private func follow(_ client: KubernetesClient, _ namespaces: [String], _ session: DiscoverySession) {
        var objects = KubernetesObjects(self)
        let sources = objects.kinds.flatMap { kind -> [Source] in
            let scopes = kind == .node || kind == .namespace ? [""] : namespaces
            return scopes.map { Source(kind: kind, namespace: $0) }
        }
        let queue = Mailbox<Message>(capacity: Self.queueLength)
        var threads: [WorkerThread] = []
        defer { for thread in threads { thread.join() } }
        for (index, source) in sources.enumerated() {
            let list = list(source)
            do throws(WorkerThread.StartError) {
                threads.append(
                    try WorkerThread("sd-k8s-\(source.kind.rawValue)") {
                        Self.follow(list, index, client, queue, session)
                    })
            } catch {
                session.fail(DiscoveryError(error.description))
                session.stop.raise()
            }
        }
        var unread = Set(sources.indices)
        var groups: [String: TargetGroup] = [:]
        while !session.stop.isRaised {
            guard case .message(let message) = queue.receive(deadline: SystemClock.monotonicNanoseconds(in: 500)) else {
                continue
            }
            let changed = take(message.change, sources[message.source], &objects)
            if unread.isEmpty {
                if !changed.isEmpty { session.update(changed) }
                continue
            }
            for group in changed { groups[group.source] = group }
            unread.remove(message.source)
            guard unread.isEmpty else { continue }
            session.replace(Array(groups.values))
            groups = [:]
        }
    }

    private static func follow(
        _ list: ObjectList, _ index: Int, _ client: KubernetesClient, _ queue: Mailbox<Message>,
        _ session: DiscoverySession
    ) {
        client.follow(
            list, isCancelled: { session.stop.isRaised }, wait: { _ = session.stop.wait(milliseconds: $0) },
            onChange: { change in
                // The server waits meanwhile; no change may be lost.
                while !queue.send(Message(source: index, change: change)) {
                    if session.stop.wait(milliseconds: 20) == .stopped { return }
                }
            },
            onFailure: { session.fail(DiscoveryError($0.description)) })
    }

    private func take(
        _ change: ObjectWatch.Change, _ source: Source, _ objects: inout KubernetesObjects
    ) -> [TargetGroup] {
        switch change {
        case .replaced(let list):
            return objects.replace(
                source.kind, in: source.namespace, with: list.compactMap { KubernetesObject($0, source.kind) })
        case .put(let json):
            guard let object = KubernetesObject(json, source.kind) else { return [] }
            return objects.put(object)
        case .removed(let json):
            guard let object = KubernetesObject(json, source.kind) else { return [] }
            return objects.remove(object.key)
        }
    }
}
