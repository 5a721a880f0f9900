"""AWS's JSON services (SQS, DynamoDB, SSM) as lean calls: what a function's cold start and each message's CPU pay for.

botocore's clients load a model of each service and pass a call through dozens of handlers: 300 ms at a cold start and 2
to 3 ms a call, more than all else that a message costs. Here a call is JSON, a signature and a POST.
"""
