"""The names of the dialects, and where each is: one is imported when it is chosen, for most programs speak one."""

PLACES = {
    "esb-job": "bkjob_async.dialects.esb.job:ESB_JOB",
    "esb-jobv3": "bkjob_async.dialects.esb.jobv3:ESB_JOBV3",
    "gateway-v3": "bkjob_async.dialects.gateway.v3:GATEWAY_V3",
    "gateway-v4": "bkjob_async.dialects.gateway.v4:GATEWAY_V4",
}
DIALECTS = tuple(PLACES)
