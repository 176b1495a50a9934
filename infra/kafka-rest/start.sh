#!/bin/sh
# Ask MSK for the addresses of its brokers, which CloudFormation does not know, and start the proxy with IAM.
# Reads CLUSTER_ARN; optional ATTEMPTS and PAUSE_SECONDS. The image turns KAFKA_REST_… into kafka-rest.properties.
set -eu

attempts=${ATTEMPTS:-10}
pause=${PAUSE_SECONDS:-6}
if [ -z "${CLUSTER_ARN:-}" ]; then
    echo "kafka-rest: CLUSTER_ARN is not set: the task definition of infra/aws sets it" >&2
    exit 64
fi

attempt=1
while true; do
    brokers=$(aws kafka get-bootstrap-brokers --cluster-arn "$CLUSTER_ARN" \
        --query BootstrapBrokerStringSaslIam --output text --cli-connect-timeout 5 --cli-read-timeout 20) || brokers=
    if [ "$brokers" = None ]; then
        echo "kafka-rest: $CLUSTER_ARN has no brokers with IAM: enable SASL/IAM on the cluster" >&2
        exit 78
    fi
    [ -z "$brokers" ] || break
    if [ "$attempt" -ge "$attempts" ]; then
        said="no answer about the brokers of $CLUSTER_ARN in $attempts attempts"
        echo "kafka-rest: $said: check the task's role and route" >&2
        exit 75
    fi
    attempt=$((attempt + 1))
    sleep "$pause"
done

echo "kafka-rest: brokers $brokers"
export KAFKA_REST_HOST_NAME=kafka-rest
export KAFKA_REST_LISTENERS=http://0.0.0.0:8082
export KAFKA_REST_BOOTSTRAP_SERVERS="$brokers"
export KAFKA_REST_CLIENT_SECURITY_PROTOCOL=SASL_SSL
export KAFKA_REST_CLIENT_SASL_MECHANISM=AWS_MSK_IAM
export KAFKA_REST_CLIENT_SASL_JAAS_CONFIG="software.amazon.msk.auth.iam.IAMLoginModule required;"
export KAFKA_REST_CLIENT_SASL_CLIENT_CALLBACK_HANDLER_CLASS=software.amazon.msk.auth.iam.IAMClientCallbackHandler
exec "$@"
