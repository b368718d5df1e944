" netc's network descriptions.
if exists('b:current_syntax')
  finish
endif

syn keyword netSection     block function network train use
syn keyword netKeyword     let input as from branch skip shortcut dense repeat
syn keyword netConditional if else and or not
syn keyword netBoolean     true false
syn keyword netFunction    ceil floor round min max abs exp expm1 log log1p sqrt erf sin cos clamp pow

" `make golden` writes these three lists: tests/serve/test_editors.py asks netc for them.
syn keyword netOperator conv2d conv1d conv3d conv_transpose2d conv_transpose1d conv_transpose3d linear rnn gru lstm max_pool2d max_pool1d max_pool3d avg_pool2d avg_pool1d avg_pool3d lp_pool1d lp_pool2d adaptive_avg_pool2d adaptive_avg_pool1d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d max_unpool2d upsample affine_grid pad zero_pad2d zero_pad1d zero_pad3d constant_pad1d constant_pad2d constant_pad3d reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d circular_pad1d circular_pad2d circular_pad3d batch_norm2d batch_norm1d batch_norm3d group_norm instance_norm2d instance_norm1d instance_norm3d local_response_norm layer_norm layer_norm2d rms_norm layer_scale embedding rotary attention self_attention multihead_attention dropout dropout2d dropout1d dropout3d alpha_dropout feature_alpha_dropout drop_path flatten reshape permute transpose slice roll flip channel_shuffle pixel_shuffle pixel_unshuffle identity relu relu6 leaky_relu prelu rrelu elu gelu silu hardswish tanh sigmoid glu mean sum max argmax normalize cumsum softmax softmin log_softmax parameter constant noise add mul concat matmul bilinear grid_sample cross_entropy mse l1 huber smooth_l1 bce_with_logits nll arcface cosface hinge hinge_embedding kl_div cosine triplet contrastive ctc
syn keyword netSetting  contained data normalize augment test loss optimizer schedule clip init freeze group layer_decay ema batch accumulate epochs validation stop seed
syn keyword netChoice   contained mnist fashion_mnist kmnist emnist_balanced emnist_byclass emnist_bymerge emnist_digits emnist_letters emnist_mnist cifar10 cifar100 synthetic text csv arrays masks audio resize random_crop horizontal_flip random_affine cutout random_resized_crop vertical_flip random_rotation color_jitter random_erasing rand_augment trivial_augment auto_augment lighting repeated_augment mixup cutmix center_crop cross_entropy mse l1 huber smooth_l1 bce_with_logits nll arcface cosface hinge hinge_embedding kl_div cosine triplet contrastive ctc weight standardize sgd adam adamw nadam radam adamax rmsprop adagrad adadelta lion lars lamb muon constant step multi_step exponential linear polynomial inverse_sqrt inv cosine_warm_restarts plateau one_cycle kaiming_normal kaiming_uniform xavier_normal xavier_uniform normal trunc_normal uniform zeros ones orthogonal dirac eye sparse factor validation patience min_delta monitor

syn match  netArgument /\<\h\w*\ze\s*=[^=]/
syn match  netNumber   /\<\d[0-9A-Za-z_.]*\([eE][-+]\d\+\)\?\>/
syn match  netSign     /->\|\/\/\|[-+*\/%]\|[=!<>]=\|[<>]/
syn match  netName     /\(\<as\s\+\)\@<=\h[0-9A-Za-z_.]*/
syn region netText     start=/"/ end=/"/ oneline contains=netValue
syn region netValue    start=/{/ end=/}/ contained oneline contains=netNumber,netSign,netFunction
syn match  netComment  /#.*$/ contains=@Spell
syn match  netWritten  /#=.*$/ contains=@Spell
syn region netTrain    matchgroup=netSection start=/^train\s*{/ end=/^}/ contains=netSetting,netChoice,netArgument,netNumber,netText,netComment,netBoolean,netSign fold

hi def link netSection     Structure
hi def link netKeyword     Keyword
hi def link netConditional Conditional
hi def link netBoolean     Boolean
hi def link netFunction    Function
hi def link netOperator    Function
hi def link netSetting     Type
hi def link netChoice      Constant
hi def link netArgument    Identifier
hi def link netNumber      Number
hi def link netSign        Operator
hi def link netName        Label
hi def link netText        String
hi def link netValue       Special
hi def link netComment     Comment
hi def link netWritten     SpecialComment

let b:current_syntax = 'net'
