internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Runtime

extension ConsulDiscovery: Discoverer {
    private static let waitMilliseconds: Int64 = 120_000
    private static let largestBody = 64 << 20
    /// The limit of services, each queried over its own connection.
    private static let maximumServices = 2000

    /// Every query is a request that waits for changes at Consul; all of them run on this thread.
    func run(_ session: DiscoverySession) {
        guard let datacenter = waitForDatacenter(session) else { return }
        let multiplexer: HTTPMultiplexer
        do throws(HTTPFailure) { multiplexer = try HTTPMultiplexer() } catch {
            return session.fail(DiscoveryError(error.message))
        }
        let fixed = services.isEmpty || !tags.isEmpty ? nil : services
        var watch = ConsulWatch(
            services: fixed, interval: refreshInterval, now: SystemClock.monotonicNanoseconds())
        var asked: [Int: ConsulWatch.Query] = [:]
        var number = 0
        while !session.stop.isRaised {
            let now = SystemClock.monotonicNanoseconds()
            for (query, index) in watch.due(now: now) {
                number += 1
                do throws(DiscoveryError) {
                    multiplexer.start(try request(query, index), token: number)
                    asked[number] = query
                } catch {
                    watch.failed(query, now: now)
                    session.fail(error)
                }
            }
            // The signal is checked twice a second.
            let pause = SystemClock.monotonicNanoseconds(in: 500)
            multiplexer.run(until: min(pause, watch.nextDeadline ?? .max)) { token, result in
                guard let query = asked.removeValue(forKey: token) else { return }
                do throws(DiscoveryError) {
                    try take(result, query, datacenter, &watch, session)
                } catch {
                    watch.failed(query, now: SystemClock.monotonicNanoseconds())
                    session.fail(error)
                }
            }
        }
        multiplexer.cancelAll { _, _ in }
    }

    // MARK: Questions

    private var base: String { "\(scheme)://\(server)\(pathPrefix)/v1" }

    private func request(_ query: ConsulWatch.Query, _ index: UInt64) throws(DiscoveryError) -> PreparedRequest {
        var parameters: [(String, String)] = []
        var path = "/catalog/services"
        var expression = filter
        if case .service(let name) = query {
            path = "/health/service/\(FormText.escaped(name))"
            parameters += tags.map { ("tag", $0) }
            expression = healthFilter
        }
        if index > 0 { parameters += [("index", String(index)), ("wait", "\(Self.waitMilliseconds)ms")] }
        if allowsStale { parameters.append(("stale", "")) }
        for (name, value) in [("dc", datacenter), ("ns", namespace), ("partition", partition), ("filter", expression)] {
            if !value.isEmpty { parameters.append((name, value)) }
        }
        parameters += nodeMetadata.sorted { $0.key < $1.key }.map { ("node-meta", "\($0.key):\($0.value)") }
        let target = parameters.isEmpty ? path : "\(path)?\(FormText.encoded(parameters))"
        do throws(HTTPFailure) { return try PreparedRequest(request(target)) } catch {
            throw DiscoveryError("\(base)\(path): \(error.message)")
        }
    }

    private func request(_ target: String) throws(HTTPFailure) -> HTTPRequest {
        var request = HTTPRequest(url: base + target, timeoutMilliseconds: Self.waitMilliseconds + 15_000)
        request.headers = [("Accept", "application/json")]
        request.maximumBodyBytes = Self.largestBody
        try http.apply(to: &request)
        if let token {
            request.headers.append(("X-Consul-Token", try token.read()))
            request.confidentialHeaders.insert("x-consul-token")
        }
        return request
    }

    /// The name of the agent's datacenter, if the configuration names none; `nil` when the session ends.
    private func waitForDatacenter(_ session: DiscoverySession) -> String? {
        if !datacenter.isEmpty { return datacenter }
        while !session.stop.isRaised {
            do throws(DiscoveryError) {
                let answer: HTTPRequest
                do throws(HTTPFailure) { answer = try request("/agent/self") } catch {
                    throw DiscoveryError("\(base)/agent/self: \(error.message)")
                }
                let body = try JSON.discovered(try session.body(answer), answer.url)
                guard let name = body["Config"]?["Datacenter"]?.text else {
                    throw DiscoveryError("\(base)/agent/self: no Config.Datacenter in the response")
                }
                return name
            } catch {
                if !session.stop.isRaised { session.fail(error) }
                _ = session.stop.wait(milliseconds: ConsulWatch.retryNanoseconds / 1_000_000)
            }
        }
        return nil
    }

    // MARK: Answers

    private func take(
        _ result: consuming Result<HTTPResponse, HTTPFailure>, _ query: ConsulWatch.Query, _ datacenter: String,
        _ watch: inout ConsulWatch, _ session: DiscoverySession
    ) throws(DiscoveryError) {
        let place =
            switch query {
            case .catalogue: "\(base)/catalog/services"
            case .service(let name): "\(base)/health/service/\(name)"
            }
        let response: HTTPResponse
        switch consume result {
        case .success(let answer): response = answer
        case .failure(let failure): throw DiscoveryError("\(place): \(failure.message)")
        }
        guard response.status == 200 else {
            throw DiscoveryError("\(place): server returned HTTP status \(response.status)")
        }
        guard let index = response["X-Consul-Index"].flatMap({ UInt64($0) }) else {
            throw DiscoveryError("\(place): no X-Consul-Index in the response")
        }
        let body = try JSON.discovered(response, place)
        let now = SystemClock.monotonicNanoseconds()
        let isNews = watch.answered(query, index: index, now: now)
        guard isNews else { return }
        switch query {
        case .catalogue:
            var wanted = (body.members ?? []).filter { isWanted($0.name, $0.value) }.map(\.name).sorted()
            if wanted.count > Self.maximumServices {
                session.fail(
                    DiscoveryError("\(place): only \(Self.maximumServices) of \(wanted.count) services are used"))
                wanted.removeSubrange(Self.maximumServices...)
            }
            let gone = watch.listed(Set(wanted), now: now)
            session.update(gone.map { TargetGroup(source: $0, targets: []) })
        case .service(let name):
            let targets = (body.elements ?? []).map { labels(of: $0) }
            let group = Labels(meta: [
                ("__meta_consul_service", name), ("__meta_consul_dc", datacenter),
            ])
            session.update([TargetGroup(source: name, targets: targets, labels: group)])
        }
    }

    private func isWanted(_ name: String, _ found: JSON) -> Bool {
        let found = found.elements?.compactMap(\.text) ?? []
        return (services.isEmpty || services.contains(name)) && tags.allSatisfy { found.contains($0) }
    }

    private func labels(of entry: JSON) -> Labels {
        let node = entry["Node"] ?? .null
        let service = entry["Service"] ?? .null
        let tags = (service["Tags"]?.elements ?? []).compactMap(\.text)
        let port = service["Port"]?.integer ?? 0
        let own = service.word("Address")
        let address = DiscoveredText.address(own.isEmpty ? node.word("Address") : own, port)
        var labels: [String: String] = [
            "__address__": address, "__meta_consul_address": node.word("Address"),
            "__meta_consul_node": node.word("Node"), "__meta_consul_namespace": service.word("Namespace"),
            "__meta_consul_partition": service.word("Partition"),
            // With separators around it, expressions match a tag at any position in the list.
            "__meta_consul_tags": tagSeparator + tags.joined(separator: tagSeparator) + tagSeparator,
            "__meta_consul_service_address": own, "__meta_consul_service_port": String(port),
            "__meta_consul_service_id": service.word("ID"),
            "__meta_consul_health": Self.health(entry["Checks"]?.elements ?? []),
        ]
        let maps = [
            ("metadata", node["Meta"]), ("service_metadata", service["Meta"]),
            ("tagged_address", node["TaggedAddresses"]),
        ]
        for (name, map) in maps {
            map?.addLabels("__meta_consul_\(name)_", to: &labels)
        }
        return Labels(meta: labels)
    }

    /// The worst state of the checks.
    private static func health(_ checks: [JSON]) -> String {
        var states: Set<String> = []
        for check in checks {
            let id = check["CheckID"]?.text ?? ""
            let isMaintenance = id == "_node_maintenance" || id.hasPrefix("_service_maintenance:")
            states.insert(isMaintenance ? "maintenance" : check["Status"]?.text ?? "")
        }
        let known = ["maintenance", "critical", "warning", "passing"]
        if !states.isSubset(of: known) { return "" }
        return known.first { states.contains($0) } ?? "passing"
    }
}
