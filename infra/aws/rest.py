"""The Kafka REST proxy: API Gateway with a key and a usage plan, an internal load balancer, Fargate."""

import json

import aws_cdk as cdk
from aws_cdk import App, Fn
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secrets

from infra.aws.network import GATEWAY_PORT, PROXY_PORT
from infra.aws.parts import PipelineStack, shared, sub

STAGE = "v1"
RATE_LIMIT, BURST_LIMIT = 500, 1_000  # requests a second, as in the sandbox
TIMEOUT_MS = 29_000  # API Gateway service limit for a REST API, unless it is raised
IDLE_SECONDS = 35  # of the load balancer: longer than API Gateway waits
DRAIN_SECONDS = 30  # a task that is replaced ends its requests
CPU_TARGET_PERCENT = 60
MEMORY_SHARE_OF_HEAP = 70  # percent; the rest is for buffers outside of the heap
SECRET = "airflow/connections/pinterest_kafka_rest"  # noqa: S105 - its name


class Rest(PipelineStack):
    """API, load balancer, service. The key is generated and lies in the secret of Airflow's connection alone."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "rest", "Kafka REST proxy behind API Gateway")
        balancer, targets, listener = self.load_balancer()
        self.service(targets, listener)
        api, stage = self.api(balancer)
        self.key(api, stage)
        self.accept(
            {
                "AwsSolutions-ELB2": "The API's access log has each request; only the API reaches the load balancer.",
                "AwsSolutions-APIG2": "The proxy validates bodies; the API passes every path and content type on.",
                "AwsSolutions-APIG3": "No web ACL: callers have an API key, and a usage plan bounds them.",
                "AwsSolutions-APIG4": "The API key authorizes; sigv4 is a setting of the connection.",
                "AwsSolutions-COG4": "No user pool: the caller is Airflow, not a person.",
                "AwsSolutions-APIG6": "Errors are in the access log; full request logs would have the payloads.",
                "AwsSolutions-ECS2": "The environment has no secret; rights come from the task's role.",
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AmazonAPIGatewayPushToCloudWatchLogs]": "AWS manages it for API Gateway.",
                "AwsSolutions-IAM5[Resource::*]": "A login to the image registry has no resource.",
                "AwsSolutions-SMG4": "A key that rotates by itself would cut off Airflow.",
                "CloudFormation-Validate::E3047": "Both come from one size; sizes.py has Fargate's pairs.",
            }
        )

    def load_balancer(self) -> tuple[balancing.CfnLoadBalancer, balancing.CfnTargetGroup, balancing.CfnListener]:
        balancer = balancing.CfnLoadBalancer(
            self, "LoadBalancer",
            name=sub("${Name}-kafka-rest"), scheme="internal", type="application",
            subnets=Fn.split(",", shared("Subnets")), security_groups=[shared("LoadBalancerGroup")],
            load_balancer_attributes=[
                {"key": "idle_timeout.timeout_seconds", "value": str(IDLE_SECONDS)},
                {"key": "routing.http.drop_invalid_header_fields.enabled", "value": "true"},
            ],
        )  # fmt: skip
        targets = balancing.CfnTargetGroup(
            self, "Targets",
            port=PROXY_PORT, protocol="HTTP", target_type="ip", vpc_id=shared("VpcId"), health_check_path="/",
            health_check_interval_seconds=15, healthy_threshold_count=2,
            target_group_attributes=[{"key": "deregistration_delay.timeout_seconds", "value": str(DRAIN_SECONDS)}],
        )  # fmt: skip
        listener = balancing.CfnListener(
            self, "Listener",
            load_balancer_arn=balancer.ref, port=GATEWAY_PORT, protocol="HTTP",
            default_actions=[{"type": "forward", "targetGroupArn": targets.ref}],
        )  # fmt: skip
        return balancer, targets, listener

    def service(self, targets: balancing.CfnTargetGroup, listener: balancing.CfnListener) -> None:
        image = self.parameter("ProxyImage", "URI and tag of the image of infra/kafka-rest")
        log = self.log_group("ProxyLog", "/${Name}/kafka-rest")
        cluster = ecs.CfnCluster(
            self, "Tasks", cluster_name=self.name, cluster_settings=[{"name": "containerInsights", "value": "enabled"}]
        )
        pulling = iam.CfnRole(
            self, "PullRole", assume_role_policy_document=assumed_by("ecs-tasks.amazonaws.com"),
            policies=[{"policyName": "pull", "policyDocument": {"Version": "2012-10-17", "Statement": [
                allow("ecr:GetAuthorizationToken", on="*"),
                allow("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", on=sub(
                    "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/${Name}-kafka-rest")),
                allow("logs:CreateLogStream", "logs:PutLogEvents", on=log.attr_arn),
            ]}}],
        )  # fmt: skip
        environment = {
            "CLUSTER_ARN": shared("ClusterArn"),
            "AWS_REGION": sub("${AWS::Region}"),
            "KAFKAREST_HEAP_OPTS": f"-XX:MaxRAMPercentage={MEMORY_SHARE_OF_HEAP}",
        }
        task = ecs.CfnTaskDefinition(
            self, "Task",
            family=sub("${Name}-kafka-rest"), requires_compatibilities=["FARGATE"], network_mode="awsvpc",
            cpu=self.sized("proxy_cpu"), memory=self.sized("proxy_memory_mb"),
            execution_role_arn=pulling.attr_arn, task_role_arn=shared("KafkaRestRoleArn"),
            runtime_platform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
            container_definitions=[{
                "name": "kafka-rest", "image": image, "essential": True,
                "portMappings": [{"containerPort": PROXY_PORT}],
                "environment": [{"name": key, "value": value} for key, value in environment.items()],
                "stopTimeout": DRAIN_SECONDS,
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": log.ref, "awslogs-region": sub("${AWS::Region}"), "awslogs-stream-prefix": "proxy",
                }},
            }],
        )  # fmt: skip
        service = ecs.CfnService(
            self, "Service",
            cluster=cluster.ref, service_name="kafka-rest", task_definition=task.ref, launch_type="FARGATE",
            desired_count=self.sized_number("proxy_tasks_min"), health_check_grace_period_seconds=120,
            deployment_configuration={
                "minimumHealthyPercent": 100, "maximumPercent": 200,
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            },
            network_configuration={"awsvpcConfiguration": {
                "subnets": Fn.split(",", shared("Subnets")), "securityGroups": [shared("ClientsGroup")],
                "assignPublicIp": "DISABLED",
            }},
            load_balancers=[
                {"containerName": "kafka-rest", "containerPort": PROXY_PORT, "targetGroupArn": targets.ref}
            ],
        )  # fmt: skip
        service.add_resource_dependency(listener)
        scaled = autoscaling.CfnScalableTarget(
            self, "Scaled",
            service_namespace="ecs", scalable_dimension="ecs:service:DesiredCount",
            resource_id=Fn.join("/", ["service", self.name, service.attr_name]),
            min_capacity=self.sized_number("proxy_tasks_min"), max_capacity=self.sized_number("proxy_tasks_max"),
        )  # fmt: skip
        autoscaling.CfnScalingPolicy(
            self, "ScaleByCpu",
            policy_name="cpu", policy_type="TargetTrackingScaling", scaling_target_id=scaled.ref,
            target_tracking_scaling_policy_configuration={
                "targetValue": CPU_TARGET_PERCENT,
                "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
            },
        )  # fmt: skip

    def api(self, balancer: balancing.CfnLoadBalancer) -> tuple[apigateway.CfnRestApi, apigateway.CfnStage]:
        link = apigatewayv2.CfnVpcLink(
            self, "VpcLink",
            name=self.name, subnet_ids=Fn.split(",", shared("Subnets")),
            security_group_ids=[shared("LoadBalancerGroup")],
        )  # fmt: skip
        api = apigateway.CfnRestApi(
            self, "Api",
            name=sub("${Name}-kafka-rest"), binary_media_types=["*/*"],
            endpoint_configuration={"types": ["REGIONAL"]},
        )  # fmt: skip
        resource = apigateway.CfnResource(
            self, "Proxy", rest_api_id=api.ref, parent_id=api.attr_root_resource_id, path_part="{proxy+}"
        )
        method = apigateway.CfnMethod(
            self, "Any",
            rest_api_id=api.ref, resource_id=resource.ref, http_method="ANY", authorization_type="NONE",
            api_key_required=True, request_parameters={"method.request.path.proxy": True},
            integration={
                "type": "HTTP_PROXY", "integrationHttpMethod": "ANY", "timeoutInMillis": TIMEOUT_MS,
                "connectionType": "VPC_LINK", "connectionId": link.ref, "integrationTarget": balancer.ref,
                "uri": Fn.join("", ["http://", balancer.attr_dns_name, "/{proxy}"]),
                "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"},
            },
        )  # fmt: skip
        deployment = apigateway.CfnDeployment(self, "Deployment", rest_api_id=api.ref)
        deployment.add_resource_dependency(method)
        return api, self.stage(api, deployment)

    def stage(self, api: apigateway.CfnRestApi, deployment: apigateway.CfnDeployment) -> apigateway.CfnStage:
        writer = iam.CfnRole(
            self, "ApiLogRole", assume_role_policy_document=assumed_by("apigateway.amazonaws.com"),
            managed_policy_arns=[
                sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
            ],
        )  # fmt: skip
        account = apigateway.CfnAccount(self, "ApiLogAccount", cloud_watch_role_arn=writer.attr_arn)
        log = self.log_group("ApiLog", "/${Name}/kafka-rest-api")
        fields = ("requestId", "httpMethod", "path", "status", "responseLatency", "requestTime", "identity.apiKeyId")
        stage = apigateway.CfnStage(
            self, "Stage",
            rest_api_id=api.ref, deployment_id=deployment.ref, stage_name=STAGE,
            access_log_setting={
                "destinationArn": log.attr_arn,
                "format": json.dumps({name.split(".")[-1]: f"$context.{name}" for name in fields}),
            },
            method_settings=[{
                "httpMethod": "*", "resourcePath": "/*", "metricsEnabled": True,
                "throttlingRateLimit": RATE_LIMIT, "throttlingBurstLimit": BURST_LIMIT,
            }],
        )  # fmt: skip
        stage.add_resource_dependency(account)
        return stage

    def key(self, api: apigateway.CfnRestApi, stage: apigateway.CfnStage) -> None:
        url = Fn.join("", ["https://", api.ref, sub(f".execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{STAGE}")])
        fields = [json.dumps({"conn_type": "http", "host": "HOST"}).partition("HOST")[index] for index in (0, 2)]
        secret = secrets.CfnSecret(
            self, "Connection",
            name=SECRET, description="Airflow's connection to the Kafka REST proxy; the password is the API key",
            generate_secret_string={
                "secretStringTemplate": Fn.join(url, fields), "generateStringKey": "password",
                "excludePunctuation": True, "passwordLength": 40,
            },
        )  # fmt: skip
        value = Fn.join("", ["{{resolve:secretsmanager:", secret.ref, ":SecretString:password}}"])
        key = apigateway.CfnApiKey(self, "Key", name=sub("${Name}-kafka-rest"), enabled=True, value=value)
        plan = apigateway.CfnUsagePlan(
            self, "UsagePlan",
            usage_plan_name=sub("${Name}-kafka-rest"), api_stages=[{"apiId": api.ref, "stage": stage.ref}],
            throttle={"rateLimit": RATE_LIMIT, "burstLimit": BURST_LIMIT},
        )  # fmt: skip
        apigateway.CfnUsagePlanKey(self, "UsagePlanKey", key_id=key.ref, key_type="API_KEY", usage_plan_id=plan.ref)
        self.share({"ApiUrl": url})


def assumed_by(service: str) -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def allow(*actions: str, on: str | cdk.IResolvable) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}
