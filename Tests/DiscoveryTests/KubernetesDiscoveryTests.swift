import MetricModel
import TestSupport
import Testing
import YAML

@testable import Discovery

/// Expected labels are those of Prometheus's documentation.
@Suite struct KubernetesDiscoveryTests {
    private func bench(_ server: KubernetesStandIn, _ fields: String) throws -> DiscoveryBench {
        try DiscoveryBench(
            """
            kubernetes_sd_configs:
            - {api_server: '\(server.url)/', authorization: {credentials: \(server.token)}, \(fields)}
            """)
    }

    /// Without the common labels of every target of a test.
    private func labels(_ target: Labels) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: target.pairs.map {
                ($0.name.replacing("__meta_kubernetes_", with: ""), $0.value)
            })
    }

    private static let pods = "/api/v1/pods"

    private static func pod(
        _ name: String, ip: String = "10.0.0.1", node: String = "n1", namespace: String = "shop"
    ) -> String {
        """
        {"metadata": {"name": "\(name)", "namespace": "\(namespace)", "uid": "u-\(name)",
          "labels": {"app.kubernetes.io/name": "web"}, "annotations": {"prometheus.io/port": "8080"},
          "ownerReferences": [{"kind": "Other", "name": "x"}, {"kind": "ReplicaSet", "name": "rs", "controller": true}]},
         "spec": {"nodeName": "\(node)",
          "containers": [
           {"name": "main", "image": "web:1", "ports": [
            {"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]},
           {"name": "side", "image": "side:2"}],
          "initContainers": [{"name": "setup", "image": "init:3"}]},
         "status": {"podIP": "\(ip)", "podIPs": [{"ip": "\(ip)"}, {"ip": "fd00::1"}], "hostIP": "192.168.0.1",
          "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
          "containerStatuses": [{"name": "main", "containerID": "containerd://abc"}]}}
        """
    }

    private static let podLabels = [
        "namespace": "shop", "pod_name": "web-1", "pod_ip": "10.0.0.1", "pod_ipv4": "10.0.0.1", "pod_ipv6": "fd00::1",
        "pod_ready": "true", "pod_phase": "Running", "pod_node_name": "n1", "pod_host_ip": "192.168.0.1",
        "pod_uid": "u-web-1", "pod_controller_kind": "ReplicaSet", "pod_controller_name": "rs",
        "pod_label_app_kubernetes_io_name": "web", "pod_labelpresent_app_kubernetes_io_name": "true",
        "pod_annotation_prometheus_io_port": "8080", "pod_annotationpresent_prometheus_io_port": "true",
    ]

    @Test func podsAreATargetPerPortAndContainer() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        server.put(Self.pods, Self.pod("web-1"))
        server.put(Self.pods, Self.pod("starting", ip: ""))
        server.put("/api/v1/nodes", #"{"metadata": {"name": "n1", "labels": {"zone": "a"}}}"#)
        server.put("/api/v1/namespaces", #"{"metadata": {"name": "shop", "labels": {"team": "t"}}}"#)
        let bench = try bench(server, "role: pod, attach_metadata: {node: true, namespace: true}")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 4 })
        let group = [
            "node_name": "n1", "node_label_zone": "a", "node_labelpresent_zone": "true", "namespace_label_team": "t",
            "namespace_labelpresent_team": "true",
        ].merging(Self.podLabels) { $1 }
        let main = [
            "pod_container_name": "main", "pod_container_id": "containerd://abc", "pod_container_image": "web:1",
            "pod_container_init": "false",
        ].merging(group) { $1 }
        let wanted = [
            [
                "__address__": "10.0.0.1", "pod_container_name": "side", "pod_container_image": "side:2",
                "pod_container_init": "false",
            ].merging(group) { $1 },
            [
                "__address__": "10.0.0.1", "pod_container_name": "setup", "pod_container_image": "init:3",
                "pod_container_init": "true",
            ].merging(group) { $1 },
            [
                "__address__": "10.0.0.1:53", "pod_container_port_number": "53", "pod_container_port_protocol": "UDP",
            ].merging(main) { $1 },
            [
                "__address__": "10.0.0.1:8080", "pod_container_port_name": "http",
                "pod_container_port_number": "8080", "pod_container_port_protocol": "TCP",
            ].merging(main) { $1 },
        ]
        let found = bench.targets.map(labels)
        for target in wanted { #expect(found.contains(target), "\(target) of \(found)") }
        #expect(bench.groups.map(\.source) == ["pod/shop/web-1"])
        #expect(server.refusals == [])
    }

    /// A deployment controls its pods through a replica set, a cron job through a job.
    @Test func podsHaveTheNamesOfWhatTheyBelongTo() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        func owned(_ name: String, by kind: String, _ owner: String, more: String = "") -> String {
            """
            {"metadata": {"name": "\(name)", "namespace": "shop", "ownerReferences": [
              {"kind": "\(kind)", "name": "\(owner)", "controller": true}]}\(more)}
            """
        }
        let running = #", "spec": {"containers": [{"name": "c"}]}, "status": {"podIP": "10.0.0.9"}"#
        server.put(Self.pods, owned("web", by: "ReplicaSet", "rs", more: running))
        server.put(Self.pods, owned("batch", by: "Job", "job-1", more: running))
        server.put(Self.pods, owned("lone", by: "ReplicaSet", "other", more: running))
        server.put("/apis/apps/v1/replicasets", owned("rs", by: "Deployment", "shop"))
        server.put("/apis/apps/v1/replicasets", owned("other", by: "Rollout", "r"))
        let bench = try bench(server, "role: pod, attach_metadata: {deployment: true, job: true, cronjob: true}")
        defer { bench.runner.stop() }
        func names() -> [String: [String: String]] {
            var found: [String: [String: String]] = [:]
            for target in bench.targets {
                let wanted = ["pod_deployment_name", "pod_job_name", "pod_cronjob_name"]
                let meta = labels(target)
                found[meta["pod_name"] ?? ""] = meta.filter { wanted.contains($0.key) }
            }
            return found
        }
        let deployment = ["pod_deployment_name": "shop"]
        let job = ["pod_job_name": "job-1"]
        #expect(Loopback.eventually { names() == ["web": deployment, "batch": job, "lone": [:]] }, "\(names())")
        // The job is seen later than its pod.
        server.put("/apis/batch/v1/jobs", owned("job-1", by: "CronJob", "nightly"))
        let nightly = job.merging(["pod_cronjob_name": "nightly"]) { $1 }
        #expect(Loopback.eventually { names() == ["web": deployment, "batch": nightly, "lone": [:]] }, "\(names())")
        #expect(server.refusals == [])
    }

    @Test func changesAreWatched() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        for index in 1...5 { server.put(Self.pods, Self.pod("p\(index)", ip: "10.0.0.\(index)")) }
        let bench = try bench(
            server, "role: pod, selectors: [{role: pod, label: 'app=web', field: 'spec.nodeName=n1'}]")
        defer { bench.runner.stop() }
        func pods() -> Set<String> { Set(bench.targets.compactMap { $0["__meta_kubernetes_pod_name"] }) }
        // Five objects are three pages.
        #expect(Loopback.eventually { pods() == ["p1", "p2", "p3", "p4", "p5"] })
        server.put(Self.pods, Self.pod("p6", ip: "10.0.0.6"))
        server.put(Self.pods, Self.pod("p1"), deleting: true)
        #expect(Loopback.eventually { pods() == ["p2", "p3", "p4", "p5", "p6"] })
        // The version is too old: everything is listed again, and objects deleted meanwhile are removed.
        server.put(Self.pods, Self.pod("p2"), deleting: true)
        server.compact()
        #expect(Loopback.eventually { pods() == ["p3", "p4", "p5", "p6"] })
        // Failures keep the targets.
        let failures = bench.counter("tribune_discovery_failures_total", "kubernetes")
        server.fail("500 Internal Server Error")
        server.put(Self.pods, Self.pod("p7", ip: "10.0.0.7"))
        #expect(
            Loopback.eventually(within: 30) {
                bench.counter("tribune_discovery_failures_total", "kubernetes") > failures
            })
        #expect(pods().isSuperset(of: ["p3", "p4", "p5", "p6"]))
        server.fail(nil)
        #expect(Loopback.eventually(within: 30) { pods() == ["p3", "p4", "p5", "p6", "p7"] })
        #expect(server.refusals == [])
        let first = try #require(server.requests.first)
        #expect(first.contains("labelSelector=app%3Dweb") && first.contains("fieldSelector=spec.nodeName%3Dn1"))
        #expect(server.requests.contains { $0.contains("watch=true") && $0.contains("labelSelector=app%3Dweb") })
    }

    @Test func endpointsHaveLabelsOfTheirServiceAndPods() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        server.put(Self.pods, Self.pod("web-1"))
        server.put(
            "/api/v1/services",
            #"{"metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "front"}}, "spec": {}}"#)
        server.put(
            "/api/v1/endpoints",
            """
            {"metadata": {"name": "web", "namespace": "shop", "annotations": {"a": "b"}}, "subsets": [
             {"addresses": [{"ip": "10.0.0.1", "nodeName": "n1",
               "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1"}}],
              "notReadyAddresses": [{"ip": "10.0.0.9", "hostname": "h"}],
              "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}]}
            """)
        let bench = try bench(server, "role: endpoints, namespaces: {names: [shop]}")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 3 })
        let group = [
            "namespace": "shop", "endpoints_name": "web", "endpoints_annotation_a": "b",
            "endpoints_annotationpresent_a": "true", "service_name": "web", "service_label_tier": "front",
            "service_labelpresent_tier": "true",
        ]
        let wanted = [
            [
                "__address__": "10.0.0.1:8080", "endpoint_port_name": "http", "endpoint_port_protocol": "TCP",
                "endpoint_ready": "true", "endpoint_node_name": "n1", "endpoint_address_target_kind": "Pod",
                "endpoint_address_target_name": "web-1", "pod_container_name": "main",
                "pod_container_image": "web:1", "pod_container_init": "false", "pod_container_port_name": "http",
                "pod_container_port_number": "8080", "pod_container_port_protocol": "TCP",
            ].merging(group) { $1 }.merging(Self.podLabels) { $1 },
            // A port of the pod that no endpoint has.
            [
                "__address__": "10.0.0.1:53", "pod_container_name": "main", "pod_container_image": "web:1",
                "pod_container_init": "false", "pod_container_port_number": "53",
                "pod_container_port_protocol": "UDP",
            ].merging(group) { $1 }.merging(Self.podLabels) { $1 },
            [
                "__address__": "10.0.0.9:8080", "endpoint_port_name": "http", "endpoint_port_protocol": "TCP",
                "endpoint_ready": "false", "endpoint_hostname": "h",
            ].merging(group) { $1 },
        ]
        let found = bench.targets.map(labels)
        for target in wanted { #expect(found.contains(target), "\(target) of \(found)") }
        #expect(server.requests.allSatisfy { $0.hasPrefix("/api/v1/namespaces/shop/") })
        // The service changes, and with it the targets of the endpoints.
        server.put(
            "/api/v1/services",
            #"{"metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "back"}}, "spec": {}}"#)
        #expect(
            Loopback.eventually {
                bench.targets.allSatisfy { $0["__meta_kubernetes_service_label_tier"] == "back" }
            })
        server.put(Self.pods, Self.pod("web-1"), deleting: true)
        #expect(Loopback.eventually { bench.targets.count == 2 })
        #expect(bench.targets.allSatisfy { $0["__meta_kubernetes_pod_name"] == nil })
        #expect(server.refusals == [])
    }

    @Test func endpointSlicesAreTargets() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        server.put("/api/v1/services", #"{"metadata": {"name": "web", "namespace": "shop"}, "spec": {}}"#)
        server.put(
            "/apis/discovery.k8s.io/v1/endpointslices",
            """
            {"metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
             "addressType": "IPv6", "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "h2c"}, {}],
             "endpoints": [{"addresses": ["fd00::2"], "hostname": "h", "nodeName": "n1", "zone": "z",
              "conditions": {"ready": true, "serving": true, "terminating": false},
              "targetRef": {"kind": "VM", "name": "v"}, "deprecatedTopology": {"a/b": "c"}}]}
            """)
        let bench = try bench(server, "role: endpointslice")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 2 })
        let common = [
            "namespace": "shop", "endpointslice_name": "web-x", "endpointslice_address_type": "IPv6",
            "endpointslice_label_kubernetes_io_service_name": "web",
            "endpointslice_labelpresent_kubernetes_io_service_name": "true", "service_name": "web",
            "endpointslice_endpoint_hostname": "h", "endpointslice_endpoint_node_name": "n1",
            "endpointslice_endpoint_zone": "z", "endpointslice_endpoint_conditions_ready": "true",
            "endpointslice_endpoint_conditions_serving": "true",
            "endpointslice_endpoint_conditions_terminating": "false", "endpointslice_address_target_kind": "VM",
            "endpointslice_address_target_name": "v", "endpointslice_endpoint_topology_a_b": "c",
            "endpointslice_endpoint_topology_present_a_b": "true",
        ]
        let found = bench.targets.map(labels)
        #expect(
            found.contains(
                [
                    "__address__": "[fd00::2]:80", "endpointslice_port": "80", "endpointslice_port_name": "http",
                    "endpointslice_port_protocol": "TCP", "endpointslice_port_app_protocol": "h2c",
                ].merging(common) { $1 }), "\(found)")
        #expect(found.contains(["__address__": "fd00::2"].merging(common) { $1 }), "\(found)")
        #expect(server.refusals == [])
    }

    @Test func servicesNodesAndIngressesAreTargets() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        server.put(
            "/api/v1/services",
            """
            {"metadata": {"name": "web", "namespace": "shop", "annotations": {"a": "b"}}, "spec": {"type": "LoadBalancer",
             "clusterIP": "10.1.0.1", "loadBalancerIP": "1.2.3.4", "ports": [{"name": "p", "port": 80, "protocol": "TCP"}]}}
            """)
        server.put(
            "/api/v1/services",
            """
            {"metadata": {"name": "out", "namespace": "shop"}, "spec": {"type": "ExternalName",
             "externalName": "ex.example", "ports": [{"port": 81, "protocol": "TCP"}]}}
            """)
        server.put(
            "/api/v1/nodes",
            """
            {"metadata": {"name": "n1", "labels": {"a/b": "c"}, "annotations": {"x": "y"}}, "spec": {"providerID": "aws://1"},
             "status": {"addresses": [{"type": "Hostname", "address": "n1"}, {"type": "ExternalIP", "address": "1.1.1.1"},
              {"type": "InternalIP", "address": "10.2.0.1"}, {"type": "InternalIP", "address": "10.2.0.2"}],
              "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}
            """)
        server.put(
            "/apis/networking.k8s.io/v1/ingresses",
            """
            {"metadata": {"name": "in", "namespace": "shop", "labels": {"l": "m"}}, "spec": {"ingressClassName": "nginx",
             "tls": [{"hosts": ["*.example"]}], "rules": [
              {"host": "shop.example", "http": {"paths": [{"path": "/a"}, {}]}}, {"host": "a.b.example"}]}}
            """)
        let bench = try DiscoveryBench(
            """
            kubernetes_sd_configs:
            - {api_server: '\(server.url)', authorization: {credentials: \(server.token)}, role: service}
            - {api_server: '\(server.url)', authorization: {credentials: \(server.token)}, role: node}
            - {api_server: '\(server.url)', authorization: {credentials: \(server.token)}, role: ingress}
            """)
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 6 })
        let ingress = [
            "namespace": "shop", "ingress_name": "in", "ingress_label_l": "m", "ingress_labelpresent_l": "true",
            "ingress_class_name": "nginx",
        ]
        let secure = ["ingress_scheme": "https", "ingress_host": "shop.example", "__address__": "shop.example"]
            .merging(ingress) { $1 }
        let wanted: [[String: String]] = [
            [
                "__address__": "web.shop.svc:80", "namespace": "shop", "service_name": "web",
                "service_annotation_a": "b", "service_annotationpresent_a": "true", "service_port_name": "p",
                "service_port_number": "80", "service_port_protocol": "TCP", "service_type": "LoadBalancer",
                "service_cluster_ip": "10.1.0.1", "service_loadbalancer_ip": "1.2.3.4",
            ],
            [
                "__address__": "out.shop.svc:81", "namespace": "shop", "service_name": "out",
                "service_port_number": "81", "service_port_protocol": "TCP", "service_type": "ExternalName",
                "service_external_name": "ex.example",
            ],
            [
                "__address__": "10.2.0.1:10250", "instance": "n1", "node_name": "n1", "node_provider_id": "aws://1",
                "node_label_a_b": "c", "node_labelpresent_a_b": "true", "node_annotation_x": "y",
                "node_annotationpresent_x": "true", "node_address_Hostname": "n1",
                "node_address_ExternalIP": "1.1.1.1", "node_address_InternalIP": "10.2.0.1",
            ],
            ["ingress_path": "/a"].merging(secure) { $1 }, ["ingress_path": "/"].merging(secure) { $1 },
            [
                "__address__": "a.b.example", "ingress_scheme": "http", "ingress_host": "a.b.example",
                "ingress_path": "/",
            ].merging(ingress) { $1 },
        ]
        let found = bench.targets.map(labels)
        for target in wanted { #expect(found.contains(target), "\(target) of \(found)") }
        #expect(server.refusals == [])
    }

    @Test func kubeconfigNamesTheServerAndTheUser() throws {
        let server = KubernetesStandIn()
        defer { server.stop() }
        server.put(Self.pods, Self.pod("web-1"))
        let directory = TemporaryDirectory()
        directory.write("\(server.token)\n", to: "token")
        let file = directory.write(
            """
            apiVersion: v1
            kind: Config
            current-context: main
            contexts:
            - {name: other, context: {cluster: x, user: y}}
            - {name: main, context: {cluster: c, user: u}}
            clusters: [{name: c, cluster: {server: '\(server.url)/'}}]
            users: [{name: u, user: {tokenFile: token}}]
            """, to: "kubeconfig")
        let bench = try DiscoveryBench("kubernetes_sd_configs: [{role: pod, kubeconfig_file: '\(file)'}]")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 4 })
        #expect(server.refusals == [])
    }

    @Test func withoutAClusterThereIsAFailure() throws {
        let bench = try DiscoveryBench("kubernetes_sd_configs: [{role: pod}]")
        defer { bench.runner.stop() }
        #expect(bench.counter("tribune_discovery_failures_total", "kubernetes") == 1)
    }

    @Test(arguments: [
        ("{}", "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)"),
        ("{role: vacation}", "unknown Kubernetes SD role \"vacation\""),
        (
            "{role: pod, bearer_token: x}",
            "to use custom HTTP client configuration please provide the 'api_server' URL explicitly"
        ),
        (
            "{role: pod, kubeconfig_file: k, api_server: 'http://a'}",
            "cannot use 'kubeconfig_file' and 'api_server' simultaneously"
        ),
        (
            "{role: pod, kubeconfig_file: k, bearer_token: x}",
            "cannot use a custom HTTP client configuration together with 'kubeconfig_file'"
        ),
        (
            "{role: pod, api_server: 'http://a', namespaces: {own_namespace: true}}",
            "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously"
        ),
        (
            "{role: pod, kubeconfig_file: k, namespaces: {own_namespace: true}}",
            "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously"
        ),
        ("{role: pod, namespaces: {foo: bar}}", "unknown field \"foo\""),
        ("{role: pod, selectors: [{role: service}]}", "pod role supports only pod, node selectors"),
        (
            "{role: endpoints, selectors: [{role: node}]}",
            "endpoints role supports only pod, service, endpoints selectors"
        ),
        ("{role: pod, selectors: [{role: pod}, {role: pod}]}", "duplicated selector role: pod"),
        (
            "{role: node, selectors: [{role: node, field: metadata.status-Running}]}",
            "invalid selector: 'metadata.status-Running'; can't understand 'metadata.status-Running'"
        ),
        ("{role: pod, api_server: 'host:1'}", "not a URL: \"host:1\""),
    ])
    func faultsAreNamed(entry: String, message: String) {
        do throws(YAMLError) {
            _ = try DiscoveryBench.mechanisms("kubernetes_sd_configs: [\(entry)]")
            Issue.record("accepted")
        } catch {
            #expect(error.message == message)
        }
    }
}
